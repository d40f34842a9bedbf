"""What MT-Bench comes to: mean scores, the change against the target, wins and losses.

A question has two turns, which are not independent of each other: every standard error and every
interval is over questions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evals.decoders import is_speculative
from evals.mt_bench.answers import Answer
from evals.mt_bench.grading import LOSS, REFERENCE_DECODER, TIE, WIN, Grade, Match
from evals.mt_bench.questions import TURNS
from evals.paired import PairedComparison, compare_paired

EQUAL = 0.5
"""The points of a tie, and so of a decoder that is as good as the target."""


@dataclass(frozen=True)
class Mean:
    """A mean over ``n`` answers of ``questions`` questions; None where none was graded, and no
    ``stderr`` of a single question."""

    value: float | None
    stderr: float | None
    n: int
    questions: int


@dataclass(frozen=True)
class Scores:
    """One decoder's mean scores: of everything, by turn and by category."""

    all: Mean
    turns: dict[str, Mean]
    categories: dict[str, Mean]
    ungraded: int


@dataclass(frozen=True)
class Record:
    """A decoder's answers against the target's.

    ``identical`` are ties letter by letter, ``disagreed`` ties because the verdict depends on who
    is shown first. ``points`` are those of a question's graded answers, 1 for a win and half of one
    for a tie, minus the half that an equal decoder has; None where none was graded.
    """

    wins: int
    ties: int
    losses: int
    ungraded: int
    identical: int
    disagreed: int
    points: PairedComparison | None


@dataclass(frozen=True)
class TurnCycles:
    """What one decoder wrote in one turn. ``unfinished`` answers ended at the limit."""

    answers: int
    tokens: int
    unfinished: int
    cycles: int | None
    accepted_per_cycle: float | None
    tokens_per_cycle: float | None


@dataclass(frozen=True)
class Ungraded:
    """An answer without a grade (``single``) or a verdict (``pairwise``), and why."""

    grading: str
    question: str
    turn: int
    decoder: str
    reason: str


@dataclass(frozen=True)
class Results:
    """All of it.

    Attributes:
        differences: A question's mean score minus the target's, over the turns where both have
            one; a decoder without such a question is missing.
        ungraded: What the grader owes.
        left_out: What there was no answer to grade for, or none of the target's.
    """

    questions: int
    cycles: dict[str, dict[str, TurnCycles]]
    scores: dict[str, Scores] = field(default_factory=dict)
    differences: dict[str, PairedComparison] = field(default_factory=dict)
    matches: dict[str, Record] = field(default_factory=dict)
    ungraded: list[Ungraded] = field(default_factory=list)
    left_out: list[Ungraded] = field(default_factory=list)


def summarise_grades(
    answers: Sequence[Answer], grades: Sequence[Grade], matches: Sequence[Match]
) -> Results:
    """The numbers of a run; what was not asked for is left empty."""
    decoders = list(dict.fromkeys(row.decoder for row in answers))
    by_decoder = {name: [row for row in grades if row.decoder == name] for name in decoders}
    problems = {(row.question, row.turn, row.decoder) for row in answers if row.problem}
    missing = [
        *_ungraded("single", (row for row in grades if row.score is None)),
        *_ungraded("pairwise", (row for row in matches if row.outcome is None)),
    ]
    left_out = [
        row
        for row in missing
        if (row.question, row.turn, row.decoder) in problems
        or (row.grading == "pairwise" and (row.question, row.turn, REFERENCE_DECODER) in problems)
    ]
    alone = [name for name in decoders if name != REFERENCE_DECODER]
    return Results(
        questions=len({row.question for row in answers}),
        cycles=turn_cycles(answers),
        scores={name: _scores(rows) for name, rows in by_decoder.items()} if grades else {},
        differences={
            name: difference
            for name in alone
            if (difference := _difference(by_decoder[name], by_decoder[REFERENCE_DECODER]))
        },
        matches={
            name: _record([row for row in matches if row.decoder == name])
            for name in (alone if matches else ())
        },
        ungraded=[row for row in missing if row not in left_out],
        left_out=left_out,
    )


def read_results(path: Path) -> Results:
    """Reads what ``dataclasses.asdict`` gave, as JSON."""
    from pydantic import TypeAdapter

    return TypeAdapter(Results).validate_json(path.read_bytes())


def turn_cycles(answers: Sequence[Answer]) -> dict[str, dict[str, TurnCycles]]:
    """What every decoder wrote, by decoder and turn (``"1"``, ``"2"``)."""
    return {
        name: {
            str(turn): _turn_cycles(
                [r for r in answers if (r.decoder, r.turn) == (name, turn) and not r.problem]
            )
            for turn in range(1, TURNS + 1)
        }
        for name in dict.fromkeys(row.decoder for row in answers)
    }


def _scores(grades: Sequence[Grade]) -> Scores:
    categories = dict.fromkeys(row.category for row in grades)
    return Scores(
        all=_mean(grades),
        turns={
            str(turn): _mean([row for row in grades if row.turn == turn])
            for turn in range(1, TURNS + 1)
        },
        categories={
            name: _mean([row for row in grades if row.category == name]) for name in categories
        },
        ungraded=sum(row.score is None for row in grades),
    )


def _mean(grades: Sequence[Grade]) -> Mean:
    graded = {(row.question, row.turn): row.score for row in grades if row.score is not None}
    if not graded:
        return Mean(None, None, 0, 0)
    by_question = _by_question(graded)
    value = math.fsum(graded.values()) / len(graded)
    # A question weighs as many answers as it has grades.
    residuals = [math.fsum(score - value for score in scores) for scores in by_question.values()]
    n = len(residuals)
    if n == 1:
        return Mean(value, None, len(graded), n)
    spread = math.sqrt(math.fsum(r * r for r in residuals) * n / (n - 1)) / len(graded)
    return Mean(value, spread, len(graded), n)


def _difference(grades: Sequence[Grade], target: Sequence[Grade]) -> PairedComparison | None:
    reference = {(row.question, row.turn): row.score for row in target}
    own: dict[tuple[str, int], float] = {}
    its: dict[tuple[str, int], float] = {}
    for row in grades:
        other = reference[row.question, row.turn]
        if row.score is not None and other is not None:
            own[row.question, row.turn] = row.score
            its[row.question, row.turn] = other
    return compare_paired(_question_means(own), _question_means(its)) if own else None


def _record(matches: Sequence[Match]) -> Record:
    worth = {WIN: 1.0, TIE: EQUAL, LOSS: 0.0}
    decided = {
        (row.question, row.turn): worth[row.outcome] for row in matches if row.outcome is not None
    }
    points = _question_means(decided)
    count: Callable[[str | None], int] = [row.outcome for row in matches].count
    return Record(
        wins=count(WIN),
        ties=count(TIE),
        losses=count(LOSS),
        ungraded=count(None),
        identical=sum(row.identical for row in matches),
        disagreed=sum(row.disagreed for row in matches),
        points=compare_paired(points, [EQUAL] * len(points)) if points else None,
    )


def _question_means(values: Mapping[tuple[str, int], float]) -> list[float]:
    """Each question's mean over its turns, in the questions' order."""
    return [math.fsum(turns) / len(turns) for turns in _by_question(values).values()]


def _by_question(values: Mapping[tuple[str, int], float]) -> dict[str, list[float]]:
    questions: dict[str, list[float]] = {}
    for (question, _), value in values.items():
        questions.setdefault(question, []).append(value)
    return questions


def _turn_cycles(rows: Sequence[Answer]) -> TurnCycles:
    tokens = sum(len(row.token_ids) for row in rows)
    speculative = bool(rows) and is_speculative(rows[0].decoder)
    traces: list[Any] = [row.trace for row in rows] if speculative else []
    accepted = [cycle["accepted"] for trace in traces for cycle in trace["cycles"]]
    return TurnCycles(
        answers=len(rows),
        tokens=tokens,
        unfinished=sum(not row.finished for row in rows),
        cycles=len(accepted) if speculative else None,
        accepted_per_cycle=sum(accepted) / len(accepted) if accepted else None,
        tokens_per_cycle=tokens / len(accepted) if accepted else None,
    )


def _ungraded(grading: str, rows: Iterable[Grade | Match]) -> list[Ungraded]:
    return [Ungraded(grading, row.question, row.turn, row.decoder, row.reason) for row in rows]
