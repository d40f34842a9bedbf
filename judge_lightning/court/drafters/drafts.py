"""What an author wrote, and how it becomes a checked answer.

A *draft* is a text with the target's token ids. Whoever writes one, a model here, an endpoint or
a person, the same holds for it: its token ids give back its text, and prompt and draft together
are no longer than what the target can read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from judge_lightning.court.chat import Failure
from judge_lightning.court.prompting import answer_text, render_prompt
from judge_lightning.court.records import Answer, Prompt
from judge_lightning.court.rejects import Rejected

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

EMPTY = "empty answer"
TOO_LONG = "longer than the context"
CHANGED = "the tokenizer changes it"
NOT_UTF8 = "not UTF-8"


@dataclass(frozen=True)
class Draft:
    """One answer to one prompt, not yet checked. ``token_ids`` ends in EOS when ``finished``."""

    prompt: Prompt
    sample: int
    text: str
    token_ids: list[int]
    finished: bool


@dataclass
class Drafts:
    """What one author wrote to some prompts, and what of it cannot be used."""

    written: list[Draft] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


class Author(Protocol):
    """Somebody who answers prompts: a stretch of them at a time, whatever came before."""

    def write(self, prompts: Sequence[Prompt]) -> Drafts:
        """Answers the prompts, in their order."""


class Checkers(Protocol):
    """Whether answers are right; an answer that cannot be decided about is a failure."""

    def check_all(self, pairs: Sequence[tuple[Prompt, str]]) -> list[bool | Failure]:
        """One verdict a pair, in order."""


class Bench:
    """Where texts become drafts: the target's tokenizer and the length that it can read.

    Args:
        author: Whose drafts they are, for the places of rejected ones.
        longest: Tokens of prompt and draft together; 0 sets no limit.
    """

    def __init__(self, author: str, tokenizer: PreTrainedTokenizerBase, longest: int) -> None:
        self.author = author
        self.tokenizer = tokenizer
        self.longest = longest

    def room(self, prompt: Prompt) -> int | None:
        """How many tokens an answer to this prompt may have; None: any number."""
        if not self.longest:
            return None
        return self.longest - len(render_prompt(self.tokenizer, prompt.text))

    def read(
        self,
        prompt: Prompt,
        sample: int,
        text: str,
        *,
        finished: bool = True,
        place: str = "",
        room: int | None = None,
    ) -> Draft | Rejected:
        """The draft that a text is, or why it is none.

        A text that the tokenizer gives back with other white space is taken as the tokenizer
        has it; one that it changes otherwise is not what was written, and is rejected.

        Args:
            finished: The text is the whole answer, so that the end token follows.
            place: Where the text stands, for the rejection; else the prompt's id and the sample.
            room: What ``room`` said, where that is known already.
        """
        if not text.strip():
            return self.reject(prompt, sample, EMPTY, place=place)
        if not _is_utf8(text):
            return self.reject(prompt, sample, NOT_UTF8, record=text, place=place)
        ids = list(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        given_back = answer_text(self.tokenizer, ids)
        if given_back.split() != text.split():
            return self.reject(
                prompt, sample, CHANGED, detail=given_back[:200], record=text, place=place
            )
        if finished and self.tokenizer.eos_token_id is not None:
            ids.append(self.tokenizer.eos_token_id)
        return self.fit(Draft(prompt, sample, given_back, ids, finished), place, room)

    def fit(self, draft: Draft, place: str = "", room: int | None = None) -> Draft | Rejected:
        """The draft, unless it is empty or longer than what the target can read."""
        if not draft.text.strip():
            return self.reject(draft.prompt, draft.sample, EMPTY, place=place)
        room = self.room(draft.prompt) if room is None else room
        if room is not None and len(draft.token_ids) > room:
            detail = f"{len(draft.token_ids)} tokens, {max(0, room)} fit behind the prompt"
            return self.reject(
                draft.prompt, draft.sample, TOO_LONG, detail=detail, record=draft.text, place=place
            )
        return draft

    def reject(
        self,
        prompt: Prompt,
        sample: int,
        reason: str,
        *,
        detail: str = "",
        record: str = "",
        place: str = "",
    ) -> Rejected:
        """What stands in the draft's stead."""
        place = place or place_of(prompt, self.author, sample)
        return Rejected(place, reason, detail, record)


def place_of(prompt: Prompt, author: str, sample: int) -> str:
    """How a rejected answer is named."""
    return f"{prompt.id}:{author}:{sample}"


def check_drafts(
    author: str, drafts: Drafts, checkers: Checkers, *, only_right: bool = False
) -> tuple[list[Answer], list[Rejected]]:
    """Checks the drafts: answers with their verdict, and everything that was rejected.

    Args:
        only_right: A wrong draft is rejected, too: it claims to be right (a reference).
    """
    pairs = [(draft.prompt, draft.text) for draft in drafts.written]
    answers, rejected = [], list(drafts.rejected)
    for draft, verdict in zip(drafts.written, checkers.check_all(pairs), strict=True):
        place = place_of(draft.prompt, author, draft.sample)
        if isinstance(verdict, Failure):
            rejected.append(Rejected(place, verdict.reason, verdict.detail, draft.text))
        elif only_right and not verdict:
            rejected.append(Rejected(place, "the checker finds it wrong", "", draft.text))
        else:
            answers.append(_answer(author, draft, verdict))
    return answers, rejected


def _is_utf8(text: str) -> bool:
    """JSON can spell half a character, which no file and no tokenizer takes."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _answer(author: str, draft: Draft, right: bool) -> Answer:
    return Answer(
        prompt_id=draft.prompt.id,
        author=author,
        sample=draft.sample,
        text=draft.text,
        token_ids=draft.token_ids,
        finished=draft.finished,
        right=right,
    )
