"""Which job of a sweep does best, which no other beats, and a sentence that says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evals.pareto import pareto_front
from pipelines.report.wording import NOISE, percent, points
from pipelines.sweep.rows import FamilyNumbers, Row, Sweep, show_value

TOLERABLE = 0.02
"""Up to this loss of right answers a job is shown as one that costs something, above as one that
costs much."""

HELD, LOST, FELL = "held", "lost", "fell"
"""No measurable loss of right answers, a tolerable one, a larger one."""

TOKENS, SPEED = "tokens", "speed"
"""What a Pareto front weighs quality against."""


@dataclass(frozen=True)
class Ranking:
    """The jobs of one view, ranked.

    Attributes:
        best: The job that keeps most tokens without a measurable loss; None where every job loses
            answers, or nothing can be said.
        closest: Where every job loses, the one that loses least.
        fronts: By what quality is weighed against, the numbers of the jobs that no other matches
            in both and exceeds in one. By the figures themselves, not by their intervals.
    """

    best: Row | None
    closest: Row | None
    fronts: Mapping[str, frozenset[int]]


def rank(sweep: Sweep, view: str) -> Ranking:
    """Ranks the jobs that have numbers for a view."""
    rows = [row for row in sweep.done if view in row.views]
    known = [row for row in rows if row.views[view].change is not None]
    holding = [row for row in known if not loses(row.views[view])]
    fronts = {
        TOKENS: _front(rows, view, [row.views[view].kept for row in rows]),
        SPEED: _front(rows, view, [row.views[view].speedup for row in rows]),
    }
    if holding:
        return Ranking(max(holding, key=lambda row: _by_tokens(row.views[view])), None, fronts)
    closest = max(known, key=lambda row: row.views[view].change or 0.0, default=None)
    return Ranking(None, closest, fronts)


def in_order(sweep: Sweep, view: str) -> list[Row]:
    """The jobs that are done, the best first: without a measurable loss before the others, and
    what keeps more tokens before what keeps less; those without numbers last."""

    def place(row: Row) -> tuple[int, tuple[float, float]]:
        one = row.views.get(view)
        if one is None:
            return 2, (0.0, 0.0)
        kept, change = _by_tokens(one)
        return int(loses(one)), (-kept, -change)

    return sorted(sweep.done, key=place)


def loses(one: FamilyNumbers) -> bool:
    """Whether more answers went wrong than noise explains (95 %)."""
    return one.change is not None and one.change < -NOISE * (one.change_stderr or 0.0)


def quality_of(one: FamilyNumbers) -> str:
    """``HELD``, ``LOST`` or ``FELL``."""
    if not loses(one):
        return HELD
    return LOST if one.change is not None and one.change >= -TOLERABLE else FELL


def verdict(sweep: Sweep, view: str) -> str:
    """The view in one sentence, with its numbers."""
    ranking = rank(sweep, view)
    row = ranking.best or ranking.closest
    if row is None:
        return f"{len(sweep.done)} of {len(sweep.rows)} jobs are done."
    one, name = row.views[view], describe(sweep, row)
    subject = f"{name[0].upper()}{name[1:]}"
    kept = "no tokens" if one.kept is None else f"{one.kept:.1f} draft tokens"
    standard = "" if one.exact is None else f" where the standard rule keeps {one.exact:.1f}"
    right = f"{percent(one.right)} right ({_against_target(one)})"
    if ranking.best is not None:
        return (
            f"{subject} keeps the most without a measurable loss: {kept} a cycle{standard},"
            f" with {right}.{_next_best(sweep, view)}"
        )
    return (
        f"Every job loses right answers; {name} loses least: {right}, at {kept} a cycle{standard}."
    )


def _against_target(one: FamilyNumbers) -> str:
    if not one.change and not one.change_stderr:
        return "no answer turned against the target alone"
    change = f"{points(one.change or 0.0)} ± {(one.change_stderr or 0.0) * 100:.1f} points"
    return f"{change} against the target alone"


def _next_best(sweep: Sweep, view: str) -> str:
    """The next job without a measurable loss, so that nobody takes a narrow win for a wide one."""
    behind = in_order(sweep, view)[1:2]
    if not behind or view not in behind[0].views or loses(behind[0].views[view]):
        return ""
    kept = behind[0].views[view].kept
    return "" if kept is None else f" Next is {describe(sweep, behind[0])} with {kept:.1f}."


def describe(sweep: Sweep, row: Row) -> str:
    """What tells a job apart: ``layer 5``, ``mine several, pair micro``."""
    told = ", ".join(
        f"{label} {show_value(value)}" for label, value in zip(sweep.axes, row.values, strict=True)
    )
    return told or f"number {row.number}"


def _by_tokens(one: FamilyNumbers) -> tuple[float, float]:
    return one.kept or 0.0, one.change or 0.0


def _front(rows: Sequence[Row], view: str, gains: Sequence[float | None]) -> frozenset[int]:
    pairs = [(row, gain) for row, gain in zip(rows, gains, strict=True) if gain is not None]
    on = pareto_front([(gain, row.views[view].right) for row, gain in pairs])
    return frozenset(row.number for (row, _), best in zip(pairs, on, strict=True) if best)
