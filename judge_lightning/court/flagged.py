"""Continuations with marked passages: what a judge should not accept, or what it may.

A JSON Lines file, one object a line; only ``prompt`` and ``continuation`` have to be there:

    {"id": "7", "prompt": "...", "continuation": "...", "category": "...", "spans": [[0, 12]]}

``spans`` are half-open character ranges of ``continuation``, what is flagged; ``start`` and ``end``
in their place name a single one, and without either all of it is flagged. ``harmless`` true says
that what is marked is fine: a category to compare the others with.

Two things read such a file: the court, which makes mistakes of what is flagged (``guarded.py``),
and the stage ``safety``, which asks what a judge says of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge_lightning.court.labels import CORRECT, MISTAKE, TokenSpans
from judge_lightning.court.prompting import answer_text
from judge_lightning.court.records import IGNORED
from judge_lightning.court.rejects import Rejected
from judge_lightning.court.sources.places import Row, check_files, read_files
from judge_lightning.errors import UserError
from judge_lightning.models.location import EMBEDDED

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Span = tuple[int, int]

NO_CATEGORY = "uncategorised"
"""The category of lines that name none."""
EMBEDDED_FILES = ("flagged_train", "flagged_held_out")
"""The micro world's own: ``micro:flagged_train``, ``micro:flagged_held_out``."""

_REMEDIES = {
    "field missing": 'give "prompt" and "continuation", both texts',
    "empty continuation": "give it a text, or remove the line",
    "no such range": "give spans as [[start, end], ...]: characters of the continuation, in order,"
    " the first at 0, the end not included",
    "no name": "give category and id as text",
    "neither true nor false": "give harmless as true or false",
}


@dataclass(frozen=True)
class FlaggedText:
    """One line of such a file.

    Attributes:
        place: File and line.
        spans: Half-open character ranges, in order and apart; none where nothing is marked.
        harmless: Whether what is marked is fine.
    """

    id: str
    place: str
    prompt: str
    continuation: str
    category: str
    spans: tuple[Span, ...]
    harmless: bool = False


class UnusableLineError(Exception):
    """A line that says something else than the format; ``reason`` is one of few short phrases."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason} ({detail})")


def flagged_file(path: str, field: str) -> Path:
    """Where the file is; ``micro:NAME`` is an embedded one.

    Raises:
        UserError: There is no embedded file of that name.
    """
    family, colon, name = path.partition(":")
    if family != EMBEDDED or not colon:
        return Path(path).expanduser()
    from judge_lightning.micro.paths import ASSETS

    if name not in EMBEDDED_FILES:
        known = [f"{EMBEDDED}:{one}" for one in EMBEDDED_FILES]
        raise UserError(field, f"no embedded file is called {path!r}", f"one of {known}")
    return ASSETS / f"{name}.jsonl"


def read_flagged(path: Path, field: str) -> Iterator[FlaggedText | Rejected]:
    """Yields the lines of a file, and what is wrong with those that cannot be used.

    Args:
        field: The configuration field that names the file, for messages.

    Raises:
        UserError: The file cannot be read, or is of an unknown kind.
    """
    check_files(str(path), field)
    for row in read_files(str(path), field):
        if isinstance(row, Rejected):
            yield row
            continue
        try:
            yield _parse(row)
        except UnusableLineError as error:
            yield Rejected(row.place, error.reason, error.detail, str(dict(row.values)))


def require_flagged(path: Path, field: str) -> list[FlaggedText]:
    """All lines of a file, none of which may be unusable.

    Raises:
        UserError: The first line that cannot be used, by its number; an id that two lines have; a
            category in which some lines are harmless and some are not.
    """
    found: dict[str, FlaggedText] = {}
    harmless: dict[str, FlaggedText] = {}
    for one in read_flagged(path, field):
        if isinstance(one, Rejected):
            detail = f" ({one.detail})" if one.detail else ""
            remedy = _REMEDIES.get(one.reason, "write one JSON object a line, in UTF-8")
            raise UserError(one.place, f"{one.reason}{detail}", remedy)
        if one.id in found:
            raise UserError(
                one.place, f"has the id {one.id!r} of {found[one.id].place}", "give ids once each"
            )
        first = harmless.setdefault(one.category, one)
        if first.harmless != one.harmless:
            raise UserError(
                one.place,
                f"is {'' if one.harmless else 'not '}harmless, unlike {first.place} of the same"
                f" category {one.category!r}",
                "give harmless lines a category of their own",
            )
        found[one.id] = one
    if not found:
        raise UserError(field, f"{path} holds no continuation", "see docs/safety.md")
    return list(found.values())


class FlaggedTokens:
    """Turns continuations into token ids and the label that each token gets from what is flagged.

    Labels: 0 for a token that overlaps what is flagged, 1 before the first such token, and
    ``IGNORED`` for others behind it: they follow a text that should not be there, so that little
    can be said of them. Where nothing is flagged all tokens are 1.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._spans = TokenSpans(tokenizer)

    def __call__(self, one: FlaggedText) -> tuple[list[int], list[int]]:
        """Ids and labels, one each per token."""
        ids = list(self._tokenizer(one.continuation, add_special_tokens=False)["input_ids"])
        return ids, _labels(self._characters(ids, one.continuation), one.spans)

    def _characters(self, ids: list[int], text: str) -> Sequence[Span]:
        """Each token's characters in ``text``, which the tokenizer may not give back as it was."""
        if answer_text(self._tokenizer, ids) == text or not self._tokenizer.is_fast:
            return self._spans(ids)
        found = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        return [(start, end) for start, end in found["offset_mapping"]]


def _labels(spans: Sequence[Span], flagged: Sequence[Span]) -> list[int]:
    labels = []
    met = False
    for start, end in spans:
        hit = any(start < last and end > first for first, last in flagged)
        met = met or hit
        labels.append(MISTAKE if hit else IGNORED if met else CORRECT)
    return labels


def _parse(row: Row) -> FlaggedText:
    values = row.values
    prompt, continuation = values.get("prompt"), values.get("continuation")
    for name, value in (("prompt", prompt), ("continuation", continuation)):
        if not isinstance(value, str):
            raise UnusableLineError("field missing", f"no text in {name!r}")
    assert isinstance(prompt, str)
    assert isinstance(continuation, str)
    if not continuation:
        raise UnusableLineError("empty continuation", "no character")
    harmless = values.get("harmless", False)
    if not isinstance(harmless, bool):
        raise UnusableLineError("neither true nor false", f"harmless is {harmless!r}")
    return FlaggedText(
        id=_name(values, "id") or f"{_digest(prompt, continuation)}",
        place=row.place,
        prompt=prompt,
        continuation=continuation,
        category=_name(values, "category") or NO_CATEGORY,
        spans=_spans(values, len(continuation)),
        harmless=harmless,
    )


def _name(values: Mapping[str, Any], field: str) -> str:
    value = values.get(field)
    if value is None or isinstance(value, int):
        return "" if value is None else str(value)
    if not isinstance(value, str):
        raise UnusableLineError("no name", f"{field} is {value!r}")
    return value


def _spans(values: Mapping[str, Any], length: int) -> tuple[Span, ...]:
    given = values.get("spans")
    if given is None:
        given = [[values.get("start", 0), values.get("end", length)]]
    if not isinstance(given, list):
        raise UnusableLineError("no such range", f"spans is {given!r}")
    past = 0
    for span in given:
        if (
            not isinstance(span, list)
            or len(span) != 2
            or not all(type(end) is int for end in span)
            or not past <= span[0] < span[1] <= length
        ):
            raise UnusableLineError("no such range", f"{span} in {length} characters")
        past = span[1]
    return tuple((start, end) for start, end in given)


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]
