"""From a mistake's characters to a label for every token (DESIGN, section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from judge_lightning.court.prompting import answer_text
from judge_lightning.court.records import IGNORED

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CORRECT = 1
MISTAKE = 0
AFTER_MISTAKE = {"ignored": IGNORED, "wrong": MISTAKE}
_UNFINISHED_CHARACTER = "\ufffd"


@dataclass(frozen=True)
class MarkedTokens:
    """Labels of a wrong answer's tokens, and the half-open token range of the mistake."""

    labels: list[int]
    mistake: tuple[int, int]


class TokenSpans:
    """The half-open character range of every token in an answer's decoded text.

    The ids are the ones that were generated; encoding the text again could split it
    otherwise. Special tokens have an empty range. A token that holds some bytes of a
    character has that whole character in its range. What single tokens decode to is kept,
    because a court asks for the same few thousand tokens millions of times.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._special = set(tokenizer.all_special_ids)
        self._pieces: dict[int, str] = {}

    def __call__(self, token_ids: Sequence[int]) -> list[tuple[int, int]]:
        """One range per token."""
        ids = list(token_ids)
        text = answer_text(self._tokenizer, ids)
        ends = self._ends_by_pieces(ids, text) or self._ends_by_prefixes(ids, text)
        spans = [(start, max(start, end)) for start, end in pairwise(ends)]
        special = self._special
        for place in range(len(spans) - 2, -1, -1):
            start, end = spans[place]
            if start == end and ids[place] not in special and ids[place + 1] not in special:
                spans[place] = (start, spans[place + 1][1])
        return spans

    def _ends_by_pieces(self, ids: list[int], text: str) -> list[int] | None:
        """Where each token ends, if the text is what its tokens decode to by themselves.

        Tokens that share a character are decoded together, and all but the last of them end
        where it begins.
        """
        ends = [0]
        waiting: list[int] = []
        for token in ids:
            waiting.append(token)
            piece = (
                self._piece(token) if len(waiting) == 1 else answer_text(self._tokenizer, waiting)
            )
            if piece.endswith(_UNFINISHED_CHARACTER) and not text.startswith(piece, ends[-1]):
                ends.append(ends[-1])
                continue
            if not text.startswith(piece, ends[-1]):
                return None
            ends.append(ends[-1] + len(piece))
            waiting = []
        return ends if ends[-1] == len(text) else None

    def _piece(self, token: int) -> str:
        if token not in self._pieces:
            self._pieces[token] = answer_text(self._tokenizer, [token])
        return self._pieces[token]

    def _ends_by_prefixes(self, ids: list[int], text: str) -> list[int]:
        """Some tokenizers write a token differently at the start of a text: what a prefix
        decodes to is then the only truth."""
        prefixes = (answer_text(self._tokenizer, ids[:end]) for end in range(len(ids) + 1))
        ends = [min(len(p.rstrip(_UNFINISHED_CHARACTER)), len(text)) for p in prefixes]
        ends[-1] = len(text)
        return ends


def token_spans(
    tokenizer: PreTrainedTokenizerBase, token_ids: Sequence[int]
) -> list[tuple[int, int]]:
    """``TokenSpans`` of one answer."""
    return TokenSpans(tokenizer)(token_ids)


def mark_mistake(
    spans: Sequence[tuple[int, int]],
    mistake: tuple[int, int],
    *,
    finished: bool,
    after_mistake: str = "ignored",
) -> MarkedTokens | None:
    """Labels a wrong answer: before the mistake 1, the mistake 0, what follows as chosen.

    Args:
        spans: Character range of every token, as ``token_spans`` gives them.
        mistake: Half-open character range; empty at the text's end when the answer stops
            too early, which makes the end token the mistake.
        finished: Whether the last token is the end token.
        after_mistake: ``ignored`` or ``wrong``.

    Returns:
        None when no token can be blamed: the answer was cut off, or the range is outside.
    """
    start, end = mistake
    blamed = [
        place
        for place, (first, last) in enumerate(spans)
        if (first < end and last > start if start < end else last > start)
    ]
    if start == end:
        blamed = blamed[:1]
    if not blamed and finished and spans and start >= spans[-1][1]:
        blamed = [len(spans) - 1]
    if not blamed:
        return None
    first, past = blamed[0], blamed[-1] + 1
    following = [AFTER_MISTAKE[after_mistake]] * (len(spans) - past)
    labels = [CORRECT] * first + [MISTAKE] * (past - first) + following
    return MarkedTokens(labels, (first, past))
