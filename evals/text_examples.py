"""One answer of each text to look at: which tokens verification rejects, and whether it should."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from evals.scored_text import ScoredAnswer
from evals.shown_tokens import Decode, token_texts
from judge_lightning.court.labels import CORRECT, MISTAKE

LONGEST = 300
"""Tokens of an answer that are shown."""
_LOOKED_AT = 200
"""Answers among which one with a mistake is looked for."""


@dataclass(frozen=True)
class TextToken:
    """One token of a text.

    Attributes:
        text: Its characters.
        fate: ``both`` rules keep it, ``standard`` or ``judge`` alone does, or neither:
            ``rejected``. Without a judge ``both`` means the standard rule.
        correct: Whether it is; None: unknown.
        rank: Its place in the target's order.
        probability: The target's.
        judge: The judge's; None without one.
    """

    text: str
    fate: str
    correct: bool | None
    rank: int
    probability: float
    judge: float | None


@dataclass(frozen=True)
class TextExample:
    """One answer of a text; ``cut`` tokens behind the last one are not shown."""

    text: str
    prompt_id: str
    prompt: str
    tokens: list[TextToken]
    cut: int


def choose_answer(answers: Iterable[ScoredAnswer]) -> ScoredAnswer | None:
    """The first answer that holds a mistake, else the first with a rejected token.

    None where all of the first 200 answers are accepted as a whole: there is nothing to see.
    """
    first = None
    for answer in islice(answers, _LOOKED_AT):
        if MISTAKE in answer.labels:
            return answer
        if first is None and not all(answer.standard()):
            first = answer
    return first


def show_text(
    answer: ScoredAnswer, prompt: str, threshold: float | None, decode: Decode
) -> TextExample:
    """Joins an answer's tokens with what the two rules say; ``threshold`` is the judge's."""
    standard = answer.standard()
    labels = {CORRECT: True, MISTAKE: False}
    texts = token_texts(answer.token_ids[:LONGEST], decode)
    tokens = [
        TextToken(
            text=text,
            fate=_fate(standard[place], _judge_alone(answer, place, threshold)),
            correct=labels.get(answer.labels[place]),
            rank=answer.ranks[place],
            probability=answer.probabilities[place],
            judge=None if answer.judge is None else answer.judge[place],
        )
        for place, text in enumerate(texts)
    ]
    cut = max(0, len(answer.token_ids) - LONGEST)
    return TextExample(answer.text, answer.prompt_id, prompt, tokens, cut)


def write_text_examples(path: Path, examples: Iterable[TextExample]) -> None:
    """Writes one example a line."""
    with path.open("w", encoding="utf-8") as file:
        for example in examples:
            file.write(json.dumps(asdict(example), ensure_ascii=False, sort_keys=True) + "\n")


def read_text_examples(path: Path) -> list[TextExample]:
    """Reads what ``write_text_examples`` wrote."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        TextExample(**{**row, "tokens": [TextToken(**token) for token in row["tokens"]]})
        for row in rows
    ]


def _judge_alone(answer: ScoredAnswer, place: int, threshold: float | None) -> bool | None:
    if threshold is None or answer.judge is None:
        return None
    return answer.judge[place] > threshold


def _fate(standard: bool, judge: bool | None) -> str:
    if judge is None:
        return "both" if standard else "rejected"
    if standard:
        return "both" if judge else "standard"
    return "judge" if judge else "rejected"
