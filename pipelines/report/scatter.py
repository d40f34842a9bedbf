"""A scatter chart with error bars and a front, in the manner of ``charts.py``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from pipelines.report.charts import HEIGHT, Axis, Chart, colour, data, few


@dataclass(frozen=True)
class Dot:
    """One point with the interval of its height.

    Attributes:
        style: Names its colour.
        name: What it is.
        number: Stands beside it and joins it to a table; None for a point off the front.
    """

    style: str
    x: float
    y: float
    low: float
    high: float
    name: str
    number: int | None = None


def scatter_chart(
    title: str,
    dots: Sequence[Dot],
    x: Axis,
    y: Axis,
    levels: Sequence[tuple[float, str]] = (),
    *,
    joined: bool = True,
) -> Chart:
    """Dots over two value axes; those with a number are filled and ``joined``, in the order of x.

    ``levels`` are named horizontal lines, as (height, label).
    """
    # Numbered ones last, so that they lie on top.
    ordered = sorted(dots, key=lambda dot: dot.number is not None)
    rows = [
        {
            "name": dot.name,
            "x": dot.x,
            "y": dot.y,
            "low": dot.low,
            "high": dot.high,
            "number": None if dot.number is None else str(dot.number),
            "colour": colour(dot.style),
            "fill": colour(dot.style if dot.number is not None else "card"),
        }
        for dot in ordered
    ]
    columns = {"name": "", "x": x.title, "y": y.title, "low": "from", "high": "to"}
    tips = [
        alt.Tooltip("name:N", title="point"),
        alt.Tooltip("x:Q", title=x.title, format=x.format),
        *(
            alt.Tooltip(f"{field}:Q", title=columns[field], format=y.format)
            for field in ("y", "low", "high")
        ),
    ]
    base = alt.Chart(data()).encode(x=x.x(), y=y.y())
    bars = base.mark_rule(opacity=0.45).encode(
        y=y.y("low"), y2="high:Q", stroke=alt.Stroke("colour:N", scale=None)
    )
    points = base.mark_point(size=70, strokeWidth=1.5).encode(
        stroke=alt.Stroke("colour:N", scale=None),
        fill=alt.Fill("fill:N", scale=None),
        tooltip=tips,
    )
    layers = [*_levels(levels, x, y), bars, points]
    if joined:
        front = base.transform_filter("datum.number != null")
        layers.insert(-1, front.mark_line(color=colour("soft"), strokeDash=[2, 3], strokeWidth=1))
    layers += _numbers(base)
    drawn = alt.layer(*layers).properties(height=HEIGHT + 40)
    return Chart.of(title, drawn, rows, columns)


def _numbers(base: alt.Chart) -> list[alt.Chart]:
    """Neighbours are seldom apart by a digit's width: every second number stands below."""
    return [
        base.transform_filter(f"datum.number != null && toNumber(datum.number) % 2 == {odd}")
        .mark_text(dy=shift, color=colour("ink"), fontWeight=600)
        .encode(text="number:N")
        for odd, shift in ((1, -13), (0, 14))
    ]


def _levels(levels: Sequence[tuple[float, str]], x: Axis, y: Axis) -> list[alt.LayerChart]:
    if not levels:
        return []
    rows = [{"level": level, "label": label} for level, label in levels]
    base = alt.Chart(few(*rows)).encode(y=y.y("level"))
    line = base.mark_rule(color=colour("soft"), strokeDash=[5, 4], strokeWidth=1)
    name = base.mark_text(x=4, dy=10, align="left", color=colour("soft")).encode(text="label:N")
    return [line + name]
