"""The report's charts: Altair builds them, the page carries their specification as JSON, and the
reader's browser draws them (``charts.js``).

Colours are the page's CSS variables by name, so that a drawn chart follows the reader's light or
dark theme. A file that stands alone (``Chart.picture``) has the light theme's colours in it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import altair as alt
from markupsafe import Markup

from pipelines.report.page import packaged_text, render_fragment
from pipelines.report.shown_text import visible

HEIGHT = 200
_MOST_ROWS = 40
"""Of more points than these, a reader without scripts gets every so many."""
_ROWS = "rows"

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Chart:
    """A chart with its accessible name.

    Attributes:
        title: What it shows, for those who cannot see it.
        spec: Its Vega-Lite specification; colours are ``var(--name)``.
        rows: The data behind it.
        columns: The rows' fields with what they are called.
    """

    title: str
    spec: Mapping[str, Any]
    rows: Rows
    columns: Mapping[str, str]

    @classmethod
    def of(
        cls, title: str, drawn: alt.TopLevelMixin, rows: Rows, columns: Mapping[str, str]
    ) -> Chart:
        """A chart that Altair has put together of ``data()``, which are ``rows``."""
        # Altair takes a second over checking a page's charts; the tests check them instead.
        spec = drawn.to_dict(validate=False)
        spec = {**spec, "config": _CONFIG, "description": title, "width": "container"}
        spec["datasets"] = {**spec.get("datasets", {}), _ROWS: [dict(row) for row in rows]}
        return cls(title, spec, rows, columns)

    def __html__(self) -> Markup:
        return render_fragment("chart.html.j2", chart=self)

    @property
    def embedded(self) -> Markup:
        """The specification as JSON that cannot end the script element in which it stands."""
        # A page names no address, not even that of a schema.
        spec = {name: value for name, value in self.spec.items() if name != "$schema"}
        text = json.dumps(_plain(spec), separators=(",", ":"), allow_nan=False)
        for sign in "<>&":
            text = text.replace(sign, f"\\u{ord(sign):04x}")
        return Markup(text)

    @property
    def table(self) -> list[list[Any]]:
        """Its numbers as rows of cells, thinned out evenly where they are many."""
        step = math.ceil(len(self.rows) / _MOST_ROWS) or 1
        return [[_cell(row.get(name)) for name in self.columns] for row in self.rows[::step]]

    def picture(self, width: int = 440) -> str:
        """An SVG file of its own, in the light theme, ``width`` pixels wide without the axes."""
        import vl_convert

        spec = {**_plain(self.spec), "width": width, "background": "var(--card)"}
        return str(vl_convert.vegalite_to_svg(in_light(spec)))


@dataclass(frozen=True)
class Series:
    """One line of a chart: a name, a style for its colour, and its points."""

    name: str
    style: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Axis:
    """A value axis: its title and its range.

    ``kind``: how its numbers are written; ``log`` is logarithmic. ``ticks``: where there are ticks,
    with their labels, for places that stand for something else.
    """

    title: str
    low: float
    high: float
    kind: Literal["number", "whole", "percent", "log"] = "number"
    ticks: Sequence[tuple[float, str]] = ()

    @property
    def format(self) -> str:
        """The d3 format of its numbers."""
        return {"percent": ".1%", "whole": "d"}.get(self.kind, ".4~g")

    def x(self, field: str = "x", **more: Any) -> alt.X:
        """The field along the bottom."""
        axis = alt.Axis(**self._ticks(), grid=False)
        return alt.X(f"{field}:Q", title=self.title, scale=self._scale(), axis=axis, **more)

    def y(self, field: str = "y", **more: Any) -> alt.Y:
        """The field along the left, its title above the axis."""
        axis = alt.Axis(**self._ticks(), domain=False, ticks=False)
        title = self.title or None
        return alt.Y(f"{field}:Q", title=title, scale=self._scale(), axis=axis, **more)

    def _scale(self) -> alt.Scale:
        kind: Literal["log", "linear"] = "log" if self.kind == "log" else "linear"
        domain = [self.low, self.high]
        return alt.Scale(type=kind, domain=domain, nice=False, zero=False, clamp=True)

    def _ticks(self) -> dict[str, Any]:
        if self.ticks:
            places = [place for place, _ in self.ticks]
            labels = json.dumps({f"{place:g}": label for place, label in self.ticks})
            return {"values": places, "labelExpr": f"({labels})[format(datum.value, '.6~g')]"}
        if self.kind == "percent":
            return {"format": "~%", "tickCount": 5}
        if self.kind == "whole":
            return {"format": "d", "tickMinStep": 1, "tickCount": 10}
        return {"tickCount": 6}


def colour(style: str) -> str:
    """The CSS variable of a style (``judge``, ``exact``, ``target``, ``rule``, ``text-1`` ...)."""
    return f"var(--{style})"


def data() -> alt.NamedData:
    """The rows that ``Chart.of`` is given; inside a chart they have their name alone."""
    return alt.NamedData(_ROWS)


def few(*rows: Mapping[str, Any]) -> alt.Data:
    """Rows that stand beside the chart's own: marks, levels."""
    return alt.Data(values=list(rows))


def line_chart(
    title: str,
    series: Sequence[Series],
    x: Axis,
    y: Axis,
    *,
    mark: tuple[float, str] | None = None,
    dots: bool = False,
) -> Chart:
    """Lines over a value axis, with a named vertical mark at ``mark`` (x, label)."""
    rows = [{"name": one.name, "x": px, "y": py} for one in series for px, py in one.points]
    columns = {"name": "", "x": x.title or "x", "y": y.title or "value"}
    tips = [
        alt.Tooltip("name:N", title="line"),
        alt.Tooltip("y:Q", title=columns["y"], format=y.format),
        alt.Tooltip("x:Q", title=columns["x"], format=x.format),
    ]
    names = alt.Scale(
        domain=[one.name for one in series], range=[colour(one.style) for one in series]
    )
    hover = alt.selection_point(
        name="hover", on="pointerover", clear="pointerout", nearest=True, empty=False
    )
    base = alt.Chart(data()).encode(
        x=x.x(), y=y.y(), color=alt.Color("name:N", scale=names, legend=None)
    )
    points = base.mark_point(filled=True, opacity=1, size=45).encode(
        tooltip=tips,
        opacity=alt.condition(hover, alt.value(1), alt.value(1 if dots else 0)),
        size=alt.condition(hover, alt.value(90), alt.value(45)),
    )
    layers = [base.mark_line(strokeWidth=2), points.properties(name="points").add_params(hover)]
    drawn = alt.layer(*([vertical_mark(mark, x)] if mark else []), *layers)
    return Chart.of(title, drawn.properties(height=HEIGHT), rows, columns)


def histogram(title: str, counts: Sequence[int], style: str, mean: float, peak: float) -> Chart:
    """Shares of cycles by accepted draft tokens (0 to M), with the mean marked.

    ``peak`` is the top of the share axis, so that two histograms can share it.
    """
    total = sum(counts) or 1
    rows = [
        {"from": n - 0.42, "to": n + 0.42, "accepted": n, "share": count / total, "cycles": count}
        for n, count in enumerate(counts)
    ]
    columns = {"accepted": "accepted", "share": "share of cycles", "cycles": "cycles"}
    x = Axis("draft tokens accepted in a cycle", -0.5, len(counts) - 0.5, "whole")
    y = Axis("share of cycles", 0.0, peak, "percent")
    tips = [
        alt.Tooltip("accepted:Q", title="accepted"),
        alt.Tooltip("share:Q", title="share of cycles", format=".1%"),
        alt.Tooltip("cycles:Q", title="cycles"),
    ]
    bars = (
        alt.Chart(data())
        .mark_bar(color=colour(style))
        .encode(x=x.x("from"), x2="to:Q", y=y.y("share"), y2=alt.datum(0), tooltip=tips)
    )
    drawn = alt.layer(bars, vertical_mark((mean, f"mean {mean:.1f}"), x))
    return Chart.of(title, drawn.properties(height=HEIGHT), rows, columns)


def vertical_mark(mark: tuple[float, str], x: Axis) -> alt.LayerChart:
    """A named vertical line at ``mark`` (x, label), its name above the chart."""
    value, label = mark
    base = alt.Chart(few({"x": value, "label": label})).encode(x=x.x())
    right_half = value > (x.low + x.high) / 2
    line = base.mark_rule(color=colour("ink"), strokeDash=[3, 3], strokeWidth=1)
    name = base.mark_text(
        align="right" if right_half else "left",
        dx=-4 if right_half else 4,
        y=-7,
        color=colour("ink"),
        fontWeight=600,
    ).encode(text="label:N")
    return line + name


@cache
def light_colours() -> dict[str, str]:
    """The pages' colours in the light theme, by the names of their CSS variables."""
    found: dict[str, str] = {}
    for sheet in ("report.css", "acceptance.css"):
        light = packaged_text(sheet).partition("@media")[0]
        found |= dict(re.findall(r"--([\w-]+):\s*(#[0-9a-fA-F]{3,8})", light))
    return found


def in_light(spec: Any) -> Any:
    """A specification with the light theme's colours in place of CSS variables."""
    if isinstance(spec, Mapping):
        return {name: in_light(value) for name, value in spec.items()}
    if isinstance(spec, list):
        return [in_light(value) for value in spec]
    if isinstance(spec, str) and spec.startswith("var(--"):
        return light_colours()[spec.removeprefix("var(--").removesuffix(")")]
    return spec


def _plain(value: Any) -> Any:
    """JSON values: text made visible, NaN and infinities as null."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return visible(value) if isinstance(value, str) else value


def _cell(value: Any) -> Any:
    return f"{value:.4g}" if isinstance(value, float) else value


_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
_CONFIG: dict[str, Any] = {
    "background": "transparent",
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": colour("soft"),
        "labelFontSize": 12,
        "titleColor": colour("soft"),
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "gridColor": colour("edge"),
        "domainColor": colour("edge"),
        "tickColor": colour("edge"),
    },
    "axisY": {
        "titleAngle": 0,
        "titleAlign": "left",
        "titleAnchor": "end",
        "titleBaseline": "bottom",
        "titleX": -34,
        "titleY": -8,
    },
    "text": {"fontSize": 12},
}
