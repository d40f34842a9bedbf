"""A sweep's pictures: every job as a point; a curve where one number, a matrix where two things
tell the jobs apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.report.cards import Card
from pipelines.report.charts import Axis, Series, line_chart
from pipelines.report.scatter import Dot, scatter_chart
from pipelines.report.wording import percent, points
from pipelines.sweep.rows import FamilyNumbers, Row, Sweep
from pipelines.sweep.terminal import show_value

Pick = Callable[[FamilyNumbers], float | None]
_LOGARITHMIC = 20
"""An axis whose largest number is so many times its smallest is drawn in doublings."""


@dataclass(frozen=True)
class Cell:
    """One cell of a matrix; ``tone`` colours it."""

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
    found = [_scatter(rows, family)]
    axis = _numeric_axis(sweep, rows)
    if axis is not None:
        found += _curves(rows, family, axis)
    return found


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
    at = {(show_value(r.values[0]), show_value(r.values[1])): r.views[family] for r in rows}

    def grid(cell: Callable[[FamilyNumbers], Cell]) -> list[tuple[str, list[Cell | None]]]:
        found = {place: cell(numbers) for place, numbers in at.items()}
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


def _quality_cell(one: FamilyNumbers) -> Cell:
    if one.change is None:
        return Cell(percent(one.right), "", "")
    tone = "bad" if one.change < -0.02 else "good"
    warned = " !" if one.shifted else ""
    return Cell(points(one.change) + warned, f"± {(one.change_stderr or 0) * 100:.1f}", tone)


def _kept_cell(one: FamilyNumbers) -> Cell:
    beside = "" if one.exact is None else f"{one.exact:.1f}"
    return Cell("–" if one.kept is None else f"{one.kept:.1f}", beside, "")


def _scatter(rows: Sequence[Row], family: str) -> Card:
    dots = []
    for row in rows:
        one = row.views[family]
        dots.append(
            Dot(
                "exact" if one.decoder == "exact" else "judge",
                one.kept or 0.0,
                one.right,
                max(0.0, one.right - 1.96 * one.right_stderr),
                min(1.0, one.right + 1.96 * one.right_stderr),
                f"{row.number}: {', '.join(map(show_value, row.values))}",
                row.number,
            )
        )
    targets = {round(row.views[family].target, 6) for row in rows}
    levels = [(value, "target alone") for value in sorted(targets)]
    low = max(0.0, min([dot.low for dot in dots] + [level for level, _ in levels]) - 0.03)
    least, most = _around([dot.x for dot in dots])
    chart = scatter_chart(
        f"Right {family} answers against draft tokens kept, job by job",
        dots,
        Axis("draft tokens accepted in a cycle", least, most),
        Axis("right answers", low, 1.0, "percent"),
        levels,
        joined=False,
    )
    return Card(
        "Quality against tokens kept",
        "Each job by its number in the table, with 95 % intervals. Up and to the right is better.",
        chart,
        [("judge", rows[0].views[family].decoder)],
    )


def _around(values: Sequence[float]) -> tuple[float, float]:
    """A range with some room; from 0 on where the values are far apart."""
    low, high = min(values), max(values)
    room = max((high - low) * 0.15, high * 0.02, 0.1)
    return (0.0 if low < high / 2 else low - room), high + room


def _numeric_axis(sweep: Sweep, rows: Sequence[Row]) -> tuple[str, list[float]] | None:
    """The label and each row's number where one axis tells the jobs apart and is a number."""
    if len(sweep.axes) != 1 or len(rows) < 3:
        return None
    values: list[Any] = [row.values[0] for row in rows]
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
        return None
    return next(iter(sweep.axes)), [float(value) for value in values]


def _curves(rows: Sequence[Row], family: str, axis: tuple[str, list[float]]) -> list[Card]:
    label, values = axis
    decoder = rows[0].views[family].decoder
    low, high = min(values), max(values)
    logarithmic = low > 0 and high / low >= _LOGARITHMIC
    few = sorted(set(values)) if len(set(values)) <= 8 else []
    ticks = [(value, f"{value:g}") for value in few]
    if logarithmic:
        room = (high / low) ** 0.04
        x = Axis(label, low / room, high * room, "log", ticks)
    else:
        margin = (high - low) * 0.04 or 0.5
        x = Axis(label, low - margin, high + margin, ticks=ticks)

    def series(name: str, style: str, pick: Pick) -> Series:
        found = [
            (value, number)
            for value, row in sorted(zip(values, rows, strict=True), key=lambda pair: pair[0])
            if (number := pick(row.views[family])) is not None
        ]
        return Series(name, style, found)

    kept = [
        series(decoder, "judge", lambda one: one.kept),
        series("standard rule", "exact", lambda one: one.exact),
    ]
    right = [
        series(decoder, "judge", lambda one: one.right),
        series("target alone", "target", lambda one: one.target),
    ]
    most = max(value for one in kept for _, value in one.points) * 1.08 or 1.0
    least = max(0.0, min(value for one in right for _, value in one.points) - 0.03)
    return [
        Card(
            f"Tokens kept by {label}",
            "Draft tokens that a cycle accepts.",
            line_chart(
                f"Draft tokens accepted in a cycle by {label}",
                kept,
                x,
                Axis("", 0.0, most),
                dots=True,
            ),
            [("judge", decoder), ("exact", "standard rule")],
        ),
        Card(
            f"Right answers by {label}",
            "The same prompts in every job.",
            line_chart(
                f"Right answers by {label}",
                right,
                x,
                Axis("", least, 1.0, "percent"),
                dots=True,
            ),
            [("judge", decoder), ("target", "target alone")],
        ),
    ]
