"""What a reviewer is shown of a labelled tuple: its texts, and words to put the mistake on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import regex

from judge_lightning.court.records import LabelledTuple
from judge_lightning.court.review.decisions import Span, span_of, tuple_id

# A number with its separators; one character of a script that writes no spaces between words;
# a run of letters; and whatever else is one character to the eye.
_WORD = regex.compile(
    r"\p{N}+(?:[.,]\p{N}+)*|[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}]\p{M}*"
    r"|[\p{L}\p{M}\p{N}_]+|(?!\s)\X"
)


@dataclass(frozen=True)
class ReviewItem:
    """A labelled tuple without its tokens. ``prompt`` and ``reference`` are empty if unknown."""

    id: str
    prompt_id: str
    drafter: str
    prompt: str
    reference: str
    correct: str
    wrong: str
    proposed: Span
    confidence: float
    evidence: str


def review_item(labelled: LabelledTuple, prompt: str = "", reference: str = "") -> ReviewItem:
    """The tuple as it is reviewed.

    Raises:
        ValueError: Its fields are not of their types, or the mistake lies outside the answer.
    """
    texts = (labelled.prompt_id, labelled.drafter, labelled.correct_text, labelled.wrong_text)
    if not all(isinstance(text, str) for text in (*texts, labelled.evidence)):
        raise ValueError("a field that is text holds something else")
    start, end = span_of(labelled.mistake_characters, "mistake_characters")
    if end > len(labelled.wrong_text):
        raise ValueError(f"the mistake ends at {end}, the answer at {len(labelled.wrong_text)}")
    if not isinstance(labelled.confidence, (int, float)):
        raise ValueError("confidence is no number")
    return ReviewItem(
        id=tuple_id(labelled),
        prompt_id=labelled.prompt_id,
        drafter=labelled.drafter,
        prompt=prompt or labelled.prompt,
        reference=reference,
        correct=labelled.correct_text,
        wrong=labelled.wrong_text,
        proposed=(start, end),
        confidence=labelled.confidence,
        evidence=labelled.evidence,
    )


def words(text: str, marked: Iterable[Span] = ()) -> list[Span]:
    """The words, numbers and signs of a text, as half-open character ranges in order.

    A last, empty one stands for the text's end: the place of a mistake that is missing text.
    A range in ``marked`` begins and ends at borders of words, so that it can be shown exactly.
    """
    marked = [span for span in marked if span[0] < span[1] <= len(text)]
    cuts = sorted({place for span in marked for place in span})
    found: list[Span] = []
    for match in _WORD.finditer(text):
        start, end = match.span()
        for cut in cuts:
            if start < cut < end:
                found.append((start, cut))
                start = cut
        found.append((start, end))
    for start, end in marked:
        # White space alone can be the mistake, too.
        if not any(first < end and last > start for first, last in found):
            found.append((start, end))
    return [*sorted(found), (len(text), len(text))]


def words_of(text_words: Sequence[Span], span: Span) -> tuple[int, int]:
    """The first and the last word that a character range touches; the end where it is none."""
    start, end = span
    touched = [
        place
        for place, (first, last) in enumerate(text_words)
        if (first < end and last > start if start < end else last > start)
    ]
    if not touched:
        return len(text_words) - 1, len(text_words) - 1
    return touched[0], touched[0] if start == end else touched[-1]


def characters_of(text_words: Sequence[Span], first: int, last: int) -> Span:
    """The character range from the first to the last word, both included."""
    return text_words[first][0], text_words[last][1]
