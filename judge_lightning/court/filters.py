"""Which sound prompts are left out all the same: too short or long, in another language, or like
another prompt that is there already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from judge_lightning.court.overlap import OverlapIndex, words
from judge_lightning.errors import UserError

TOO_SHORT = "too short"
TOO_LONG = "too long"
OTHER_LANGUAGE = "other language"
DUPLICATE = "duplicate"
NEAR_DUPLICATE = "near duplicate"
CONTAMINATED = "overlaps with evaluation"

_FEWEST_LETTERS = 20
"""A text with fewer is in every language: formulas, names, "Write a haiku"."""
_HARDLY_POSSIBLE = 0.01
"""A text is left out when all wanted languages together are less probable than this. Measured on
the 2,484 English prompts at hand, code among them: the least probable one has 0.02."""
_LEAST_SIMILAR, _MOST_SIMILAR = 0.3, 0.95
"""Thresholds that 128 hash values can tell apart from nothing and from equality."""


@dataclass(frozen=True)
class Filters:
    """The settings of ``data.filters`` (pipelines/config/court.py says what each means)."""

    minimum_characters: int = 1
    maximum_characters: int = 0
    languages: Sequence[str] = ()
    near_duplicates: float = 0.0
    decontaminate: Sequence[str] = ()
    ngram: int = 13

    def validate(self, splits: Mapping[str, str | None]) -> None:
        """Raises UserError for settings that filter nothing or everything by mistake.

        Args:
            splits: The sources' names with the split that each forces, if any.
        """
        for name in ("minimum_characters", "maximum_characters"):
            if getattr(self, name) < 0:
                raise _wrong(name, "is negative", "0 sets no limit")
        if 0 < self.maximum_characters < self.minimum_characters:
            raise _wrong("maximum_characters", "is below minimum_characters", "raise it")
        if self.near_duplicates and not _LEAST_SIMILAR <= self.near_duplicates <= _MOST_SIMILAR:
            raise _wrong(
                "near_duplicates",
                f"is {self.near_duplicates:g}",
                f"give {_LEAST_SIMILAR} to {_MOST_SIMILAR}, such as 0.8; 0 looks for none",
            )
        if self.ngram < 2:
            raise _wrong("ngram", f"is {self.ngram}", "give 2 words or more, such as 13")
        for name in self.decontaminate:
            if name not in splits:
                raise _wrong("decontaminate", f"there is no source {name!r}", f"one of {[*splits]}")
            if splits[name] != "eval":
                raise _wrong(
                    "decontaminate",
                    f"the source {name!r} is no evaluation task",
                    f"set data.sources.{name}.split: eval",
                )
        if self.languages:
            known = _language_codes()
            for code in self.languages:
                if code not in known:
                    raise _wrong("languages", f"unknown language {code!r}", f"one of {known}")


@dataclass(frozen=True)
class Candidate:
    """A prompt that asks to be let through.

    ``content`` is its text without instructions that its source repeats in every prompt,
    ``digest`` the hash of what makes it the same as another; ``evaluation`` says that its source
    is held out as a whole.
    """

    id: str
    text: str
    content: str
    digest: bytes
    evaluation: bool


@dataclass
class FilterChain:
    """Applies the filters to one prompt after the other, and remembers what it let through.

    Of prompts that are alike the first stays. So what is read later never drives out what was
    there before.
    """

    filters: Filters
    _identities: set[bytes] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._near: Any = None
        self._speaks: Callable[[str], bool] | None = None
        self._evaluation = OverlapIndex(self.filters.ngram)
        if self.filters.near_duplicates:
            from judge_lightning.court.near_duplicates import NearDuplicates

            self._near = NearDuplicates(self.filters.near_duplicates)
        if self.filters.languages:
            self._speaks = _language_test(self.filters.languages)

    def reason_against(self, candidate: Candidate) -> tuple[str, str] | None:
        """Why a prompt is left out, with particulars; None lets it through.

        An evaluation set stays whole: its prompts are not compared with others, short of
        being the same.
        """
        reason = self._against_itself(candidate) or self._against_others(candidate)
        if reason is None:
            self._identities.add(candidate.digest)
        return reason

    def _against_itself(self, candidate: Candidate) -> tuple[str, str] | None:
        length = len(candidate.text)
        if length < self.filters.minimum_characters:
            return TOO_SHORT, f"{length} characters"
        if 0 < self.filters.maximum_characters < length:
            return TOO_LONG, f"{length} characters"
        if self._speaks and not self._speaks(candidate.content):
            return OTHER_LANGUAGE, f"hardly one of {list(self.filters.languages)}"
        return None

    def _against_others(self, candidate: Candidate) -> tuple[str, str] | None:
        if candidate.digest in self._identities:
            return DUPLICATE, candidate.id
        held_out = candidate.evaluation
        if not held_out and (shared := self._evaluation.find(candidate.content)):
            return CONTAMINATED, shared
        if self._near is not None:
            like = self._near.find_or_add(candidate.id, candidate.content, always_add=held_out)
            if like is not None and not held_out:
                return NEAR_DUPLICATE, like
        return None

    def hold_out(self, content: str) -> None:
        """No later prompt that overlaps with this one is let through."""
        self._evaluation.add(content)


def _wrong(name: str, problem: str, remedy: str) -> UserError:
    return UserError(f"data.filters.{name}", problem, remedy)


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _language_codes() -> list[str]:
    return sorted(_identifier().labels)


def _language_test(languages: Iterable[str]) -> Callable[[str], bool]:
    wanted = frozenset(languages)

    def speaks(text: str) -> bool:
        if sum(map(len, filter(str.isalpha, words(text)))) < _FEWEST_LETTERS:
            return True
        ranked = _identifier().rank(text)
        return sum(share for code, share in ranked if code in wanted) >= _HARDLY_POSSIBLE

    return speaks
