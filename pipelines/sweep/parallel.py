"""Parallel coordinates: a line a job through what was set and what came out of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import altair as alt

from pipelines.report.cards import Card
from pipelines.report.charts import Chart, colour, data, few
from pipelines.report.wording import percent, points
from pipelines.sweep.curves import LOGARITHMIC, is_number
from pipelines.sweep.fronts import used_key
from pipelines.sweep.highlight import pointed_at, tone, unless_another
from pipelines.sweep.ranking import FELL, LOST, describe, quality_of, rank
from pipelines.sweep.rows import FamilyNumbers, Row, Sweep, show_value

HEIGHT = 300
_MOST_NAMED = 7
"""As many different numbers are all named; of more, the ends."""
_CLOSE = 0.07
"""Names nearer than this, as a share of the height, would cover each other."""
_LONGEST = 16
"""Characters of a name that have room."""
_DASHES = {LOST: [6, 3], FELL: [2, 3]}

Outcome = Callable[[Row, FamilyNumbers], float | None]

_OUTCOMES: dict[str, tuple[Outcome, Callable[[float], str]]] = {
    "AUROC": (lambda row, one: row.auroc, lambda x: f"{x:.3f}"),
    "threshold": (lambda row, one: row.threshold, lambda x: f"{x:.3g}"),
    "kept a cycle": (lambda row, one: one.kept, lambda x: f"{x:.1f}"),
    "speed-up": (lambda row, one: one.speedup, lambda x: f"{x:.2f}×"),
    "right": (lambda row, one: one.right, percent),
    "change": (lambda row, one: one.change, points),
}


@dataclass(frozen=True)
class Dimension:
    """One upright axis.

    Attributes:
        label: What it is called.
        places: Each job's place on it, 0 (bottom) to 1; None where the job has no value.
        texts: Each job's value, as written.
    """

    label: str
    places: list[float | None]
    texts: list[str]

    @property
    def says_something(self) -> bool:
        """Whether it tells jobs apart."""
        return len(set(self.places) - {None}) > 1

    def names(self) -> list[tuple[float, str]]:
        """Where something is named: everything, or the ends where that is too much."""
        found = {p: t for p, t in zip(self.places, self.texts, strict=True) if p is not None}
        at = sorted(found)
        crowded = any(b - a < _CLOSE for a, b in pairwise(at))
        if crowded or len(at) > _MOST_NAMED:
            at = [at[0], at[-1]]
        return [(place, _short(found[place])) for place in at]


def parallel_card(sweep: Sweep, view: str) -> Card | None:
    """The picture of all jobs; None where fewer than two have numbers."""
    rows = [row for row in sweep.done if view in row.views]
    dimensions = dimensions_of(sweep, rows, view)
    if len(rows) < 2 or len(dimensions) < 2:
        return None
    return Card(
        "From what was set to what came of it",
        "A line a job: point at one, or at a row of the table, to see it alone. The best is bold.",
        _draw(sweep, rows, view, dimensions),
        used_key(rows, view),
    )


def dimensions_of(sweep: Sweep, rows: Sequence[Row], view: str) -> list[Dimension]:
    """What tells the jobs apart, then what differs of their outcomes."""
    found = [
        place_values(label, [row.values[place] for row in rows])
        for place, label in enumerate(sweep.axes)
    ]
    for label, (pick, write) in _OUTCOMES.items():
        numbers = [pick(row, row.views[view]) for row in rows]
        found.append(
            Dimension(label, _places(numbers), ["" if n is None else write(n) for n in numbers])
        )
    return [dimension for dimension in found if dimension.says_something]


def place_values(label: str, values: Sequence[Any]) -> Dimension:
    """An axis of numbers, or, where one is none, of names: the first on top."""
    texts = [show_value(value) for value in values]
    if all(is_number(value) for value in values):
        return Dimension(label, _places([float(value) for value in values]), texts)
    names = list(dict.fromkeys(texts))
    step = 1 / max(len(names) - 1, 1)
    return Dimension(label, [1 - names.index(text) * step for text in texts], texts)


def _draw(sweep: Sweep, rows: Sequence[Row], view: str, dimensions: list[Dimension]) -> Chart:
    best = rank(sweep, view).best
    dots = []
    for place, row in enumerate(rows):
        quality = quality_of(row.views[view])
        for order, dimension in enumerate(dimensions):
            if dimension.places[place] is not None:
                dots.append(
                    {
                        "job": row.number,
                        "name": describe(sweep, row),
                        "axis": dimension.label,
                        "order": order,
                        "place": dimension.places[place],
                        "value": dimension.texts[place],
                        "tone": tone(quality),
                        "dash": _DASHES.get(quality, [1, 0]),
                        "width": 3.5 if row is best else 1.5,
                    }
                )
    labels = [dimension.label for dimension in dimensions]
    drawn = alt.layer(*_axes(dimensions, labels), *_lines(labels), *_names(dimensions, labels))
    columns = {"job": "job", "name": "what", "axis": "axis", "value": "value"}
    title = f"Every job's settings and outcomes on {view}, as parallel coordinates"
    return Chart.of(title, drawn.properties(height=HEIGHT), dots, columns)


def _x(labels: Sequence[str]) -> alt.X:
    axis = alt.Axis(
        orient="top",
        labelAngle=0,
        labelLimit=130,
        labelColor=colour("ink"),
        domain=False,
        ticks=False,
        labelPadding=10,
    )
    scale = alt.Scale(domain=list(labels), padding=0.35, type="point")
    return alt.X("axis:N", title=None, sort=None, scale=scale, axis=axis)


def _y(field: str) -> alt.Y:
    return alt.Y(f"{field}:Q", scale=alt.Scale(domain=[0, 1], nice=False), axis=None)


def _axes(dimensions: Sequence[Dimension], labels: Sequence[str]) -> list[alt.Chart]:
    ends = [{"axis": dimension.label, "from": 0, "to": 1} for dimension in dimensions]
    base = alt.Chart(few(*ends)).encode(x=_x(labels), y=_y("from"), y2="to:Q")
    return [base.mark_rule(color=colour("edge"), strokeWidth=1.5)]


def _lines(labels: Sequence[str]) -> list[alt.Chart]:
    base = alt.Chart(data()).encode(x=_x(labels), y=_y("place"), opacity=unless_another())
    tips = [
        alt.Tooltip("job:N", title="job"),
        alt.Tooltip("name:N", title="what"),
        alt.Tooltip("axis:N", title="axis"),
        alt.Tooltip("value:N", title="value"),
    ]
    lines = base.mark_line().encode(
        detail="job:N",
        order="order:Q",
        stroke=alt.Stroke("tone:N", scale=None),
        strokeDash=alt.StrokeDash("dash:N", scale=None),
        strokeWidth=alt.StrokeWidth("width:Q", scale=None),
        tooltip=tips[:2],
    )
    dots = base.mark_point(filled=True, size=60).encode(
        color=alt.Color("tone:N", scale=None), tooltip=tips
    )
    return [lines.add_params(pointed_at()), dots]


def _names(dimensions: Sequence[Dimension], labels: Sequence[str]) -> list[alt.Chart]:
    named = [
        {"axis": dimension.label, "place": place, "text": text}
        for dimension in dimensions
        for place, text in dimension.names()
    ]
    base = alt.Chart(few(*named)).encode(x=_x(labels), y=_y("place"), text="text:N")
    beside: dict[str, Any] = {"align": "left", "dx": 8, "fontSize": 12}
    halo = base.mark_text(stroke=colour("card"), strokeWidth=4, strokeJoin="round", **beside)
    return [halo, base.mark_text(color=colour("soft"), **beside)]


def _places(values: Sequence[float | None]) -> list[float | None]:
    """Numbers between their least and their most as shares; as logarithms if they are far apart."""
    known = [value for value in values if value is not None]
    if not known:
        return list(values)
    low, high = min(known), max(known)
    scale = math.log if low > 0 and high / low >= LOGARITHMIC else float
    span = scale(high) - scale(low)
    return [
        None if value is None else (scale(value) - scale(low)) / span if span else 0.5
        for value in values
    ]


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
