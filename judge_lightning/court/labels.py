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


def token_spans(
    tokenizer: PreTrainedTokenizerBase, token_ids: Sequence[int]
) -> list[tuple[int, int]]:
    """The half-open character range of every token in the answer's decoded text.

    The ids are the ones that were generated; encoding the text again could split it
    otherwise. Special tokens have an empty range. A token that holds some bytes of a
    character has that whole character in its range.
    """
    ids = list(token_ids)
    text = answer_text(tokenizer, ids)
    pieces = [answer_text(tokenizer, [token]) for token in ids]
    if "".join(pieces) == text:
        ends = [0]
        for piece in pieces:
            ends.append(ends[-1] + len(piece))
    else:
        # Some tokenizers write a token differently at the start of a text, and a character
        # may be spread over tokens: what a prefix decodes to is then the only truth.
        prefixes = (answer_text(tokenizer, ids[:end]) for end in range(len(ids) + 1))
        ends = [min(len(p.rstrip(_UNFINISHED_CHARACTER)), len(text)) for p in prefixes]
        ends[-1] = len(text)
    special = set(tokenizer.all_special_ids)
    spans = [(start, max(start, end)) for start, end in pairwise(ends)]
    for place in range(len(spans) - 2, -1, -1):
        start, end = spans[place]
        if start == end and ids[place] not in special and ids[place + 1] not in special:
            spans[place] = (start, spans[place + 1][1])
    return spans


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
