"""Curves over the number that tells a sweep's jobs apart; every point is a job's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import altair as alt

from pipelines.report.cards import Card
from pipelines.report.charts import HEIGHT, Axis, Chart, colour, data
from pipelines.sweep.highlight import pointed_at, unless_another
from pipelines.sweep.rows import FamilyNumbers, Row, Sweep

Pick = Callable[[FamilyNumbers], float | None]
Line = tuple[str, str, Pick]
"""A curve: its name, the style of its colour, and what it shows of a job."""

LOGARITHMIC = 20
"""An axis whose largest number is so many times its smallest is logarithmic."""
_MOST_TICKS = 8


def curve_cards(sweep: Sweep, view: str) -> list[Card]:
    """Tokens kept and right answers; empty where no single number tells the jobs apart."""
    rows = [row for row in sweep.done if view in row.views]
    if len(sweep.axes) != 1 or len(rows) < 3 or not all(is_number(row.values[0]) for row in rows):
        return []
    rows = sorted(rows, key=lambda row: float(row.values[0]))
    label, decoder = next(iter(sweep.axes)), rows[0].views[view].decoder
    x = _axis(label, [float(row.values[0]) for row in rows])
    kept: list[Line] = [
        (decoder, "judge", lambda one: one.kept),
        ("standard rule", "exact", lambda one: one.exact),
    ]
    right: list[Line] = [
        (decoder, "judge", lambda one: one.right),
        ("target alone", "target", lambda one: one.target),
    ]
    most = max((dot["y"] for dot in _dots(rows, view, kept)), default=0.0)
    least = min(dot["y"] for dot in _dots(rows, view, right)) - 0.03
    heights = Axis("", 0.0, most * 1.08), Axis("", max(0.0, least), 1.0, "percent")
    found = []
    if most:
        name = f"Draft tokens accepted in a cycle by {label}"
        drawn = _draw(name, _dots(rows, view, kept), x, heights[0])
        about = "Draft tokens that a cycle accepts."
        found.append(Card(f"Tokens kept by {label}", about, drawn, _key(kept)))
    drawn = _draw(f"Right answers by {label}", _dots(rows, view, right), x, heights[1])
    about = "The same prompts in every job."
    return [*found, Card(f"Right answers by {label}", about, drawn, _key(right))]


def _dots(rows: Sequence[Row], view: str, lines: Sequence[Line]) -> list[dict[str, Any]]:
    return [
        {"job": row.number, "name": name, "tone": colour(style), "x": row.values[0], "y": value}
        for name, style, pick in lines
        for row in rows
        if (value := pick(row.views[view])) is not None
    ]


def _draw(title: str, dots: Sequence[dict[str, Any]], x: Axis, y: Axis) -> Chart:
    tips = [
        alt.Tooltip("job:N", title="job"),
        alt.Tooltip("name:N", title="line"),
        alt.Tooltip("x:Q", title=x.title, format=x.format),
        alt.Tooltip("y:Q", title="value", format=y.format),
    ]
    base = alt.Chart(data()).encode(x=x.x(), y=y.y())
    lines = base.mark_line(strokeWidth=2).encode(
        stroke=alt.Stroke("tone:N", scale=None), detail="name:N"
    )
    points = base.mark_point(filled=True, size=60).encode(
        color=alt.Color("tone:N", scale=None), opacity=unless_another(), tooltip=tips
    )
    drawn = alt.layer(lines, points.add_params(pointed_at())).properties(height=HEIGHT)
    return Chart.of(title, drawn, dots, {"job": "job", "name": "line", "x": x.title, "y": "value"})


def _axis(label: str, values: Sequence[float]) -> Axis:
    low, high = min(values), max(values)
    few = sorted(set(values)) if len(set(values)) <= _MOST_TICKS else []
    ticks = [(value, f"{value:g}") for value in few]
    if low > 0 and high / low >= LOGARITHMIC:
        room = (high / low) ** 0.04
        return Axis(label, low / room, high * room, "log", ticks)
    margin = (high - low) * 0.04 or 0.5
    return Axis(label, low - margin, high + margin, ticks=ticks)


def _key(lines: Sequence[Line]) -> list[tuple[str, str]]:
    return [(style, name) for name, style, _ in lines]


def is_number(value: Any) -> bool:
    """Whether a setting is a number; a switch is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)
