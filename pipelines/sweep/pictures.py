"""A sweep's pictures: every job as a point; a curve where one number, a matrix where two things
tell the jobs apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipelines.report.cards import Card
from pipelines.report.wording import percent, points
from pipelines.sweep.curves import curve_cards
from pipelines.sweep.fronts import front_cards
from pipelines.sweep.ranking import FELL, quality_of
from pipelines.sweep.rows import FamilyNumbers, Sweep, show_value


@dataclass(frozen=True)
class Cell:
    """One cell of a matrix: a job's; ``tone`` colours it."""

    job: int
    text: str
    note: str
    tone: str


@dataclass(frozen=True)
class Matrix:
    """Two axes: ``rows`` are (label, cells)."""

    title: str
    caption: str
    down: str
    across: str
    columns: list[str]
    rows: list[tuple[str, list[Cell | None]]]


def cards(sweep: Sweep, family: str) -> list[Card]:
    """The charts for one family; empty where no job is done."""
    rows = [row for row in sweep.done if family in row.views]
    if not rows:
        return []
    return front_cards(sweep, family) + curve_cards(sweep, family)


def matrices(sweep: Sweep, family: str) -> list[Matrix]:
    """Tokens kept and right answers over the two axes; empty for another number of axes."""
    if len(sweep.axes) != 2:
        return []
    down, across = sweep.axes
    rows = [row for row in sweep.done if family in row.views]
    ups = list(dict.fromkeys(show_value(row.values[0]) for row in rows))
    columns = list(dict.fromkeys(show_value(row.values[1]) for row in rows))
    if len(ups) < 2 or len(columns) < 2:
        return []
    at = {(show_value(r.values[0]), show_value(r.values[1])): r for r in rows}

    def grid(cell: Callable[[int, FamilyNumbers], Cell]) -> list[tuple[str, list[Cell | None]]]:
        found = {place: cell(row.number, row.views[family]) for place, row in at.items()}
        return [(one, [found.get((one, other)) for other in columns]) for one in ups]

    return [
        Matrix(
            "Right answers against the target's own",
            "In points; a standard error beside it. ! where decoding warned that it"
            " met something unlike the calibration's.",
            down,
            across,
            columns,
            grid(_quality_cell),
        ),
        Matrix(
            "Draft tokens kept in a cycle",
            "And beside it what the standard rule keeps.",
            down,
            across,
            columns,
            grid(_kept_cell),
        ),
    ]


def _quality_cell(job: int, one: FamilyNumbers) -> Cell:
    if one.change is None:
        return Cell(job, percent(one.right), "", "")
    tone = "bad" if quality_of(one) == FELL else "good"
    warned = " !" if one.shifted else ""
    note = f"± {(one.change_stderr or 0) * 100:.1f}"
    return Cell(job, points(one.change) + warned, note, tone)


def _kept_cell(job: int, one: FamilyNumbers) -> Cell:
    beside = "" if one.exact is None else f"{one.exact:.1f}"
    return Cell(job, "–" if one.kept is None else f"{one.kept:.1f}", beside, "")
