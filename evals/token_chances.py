"""What both models of a pair think of every token of a decoded answer.

Decoding keeps verdicts and no probabilities: they would cost every cycle a look at all logits. So
the few answers that are shown are read once more by each model (``teacher_forcing``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from judge_lightning.decoding.trace import Trace
    from judge_lightning.models.pair import Pair
    from judge_lightning.teacher_forcing import TokenScores

ROWS = 8
"""Answers per forward pass."""


@dataclass(frozen=True)
class Chance:
    """A model's ``probability`` of a token at temperature 1, and its ``rank``, 1 the likeliest."""

    probability: float
    rank: int


@dataclass(frozen=True)
class TraceChances:
    """An answer's tokens under both models; ``others`` are the draft tokens that the target
    replaced, by the place of the token that stands there instead."""

    target: TokenScores
    draft: TokenScores


def read_traces(
    pair: Pair, prompts: Sequence[Sequence[int]], traces: Sequence[Trace]
) -> list[TraceChances]:
    """Reads every answer behind its prompt, once with each model.

    Args:
        prompts: Token ids, one prompt per trace.

    Raises:
        UserError: A model gave NaN.
    """
    from judge_lightning.teacher_forcing import PromptedAnswer, score_answers

    readings = [
        PromptedAnswer(prompt, trace.tokens, replaced_tokens(trace))
        for prompt, trace in zip(prompts, traces, strict=True)
    ]
    target = score_answers(pair.target, readings, rows=ROWS)
    draft = score_answers(pair.draft, readings, rows=ROWS, field_name="pair.draft")
    return [TraceChances(*both) for both in zip(target, draft, strict=True)]


def replaced_tokens(trace: Trace) -> dict[int, int]:
    """The draft tokens that the target replaced, by their place in the answer."""
    replaced: dict[int, int] = {}
    place = 0
    for cycle in trace.cycles:
        if cycle.corrected and cycle.next_token is not None:
            replaced[place + cycle.accepted] = cycle.proposed[cycle.accepted]
        place += len(cycle.tokens)
    return replaced


def chance_at(scores: TokenScores, place: int) -> Chance:
    """Of the answer's own token at this place."""
    return _rounded(scores.ranks[place], scores.probabilities[place])


def other_chance_at(scores: TokenScores, place: int) -> Chance:
    """Of the replaced token at this place."""
    return _rounded(*scores.others[place])


def _rounded(rank: int, probability: float) -> Chance:
    return Chance(float(f"{probability:.4g}"), rank)
