"""The picture of ``benchmarks.context_growth``: four charts in one SVG that needs no page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from pipelines.report.charts import HEIGHT, WIDTH, Axis, Series, even_ticks, line_chart

Points = Sequence[Mapping[str, Any]]

_GAP = 34
_STYLE = """
svg { font: 12px system-ui, sans-serif; background: #fff; }
.grid { stroke: #e3e3e3; } .tick, .axis, .key { fill: #555; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.target { stroke: #777; } .exact { stroke: #2563c9; } .judge { stroke: #0a8f5b; }
.dot.target { fill: #777; } .dot.exact { fill: #2563c9; } .dot.judge { fill: #0a8f5b; }
"""


def draw_picture(sweeps: Mapping[str, Points]) -> str:
    """Time and memory against the context, time against draft length and model size."""
    eager = [point for point in sweeps["context"] if point["engine"] == "eager"]
    compiled = [point for point in sweeps["context"] if point["engine"] == "compiled"]
    speed, cache = "milliseconds_per_token", "cache"
    charts = [
        _chart(
            "context, tokens",
            "milliseconds per token",
            [
                _series("target alone", "target", eager, "context", f"{speed}_alone"),
                _series("speculative, eager", "exact", eager, "context", speed),
                _series("speculative, compiled", "judge", compiled, "context", speed),
            ],
        ),
        _chart(
            "context, tokens",
            "memory, MiB",
            [
                _series("both caches, eager", "exact", eager, "context", cache),
                _series("peak, with prompt", "target", eager, "context", "peak"),
                _series("both caches, compiled", "judge", compiled, "context", cache),
            ],
        ),
        _chart(
            "draft length",
            "milliseconds per token",
            [
                _series(label, style, sweeps["draft_length"], "draft_length", key)
                for label, style, key in (
                    ("target alone", "target", f"{speed}_alone"),
                    ("speculative", "exact", speed),
                )
            ],
        ),
        _chart(
            "millions of parameters in the target",
            "milliseconds per token",
            [
                _series(label, style, sweeps["model_size"], "parameters", key, scale=1e-6)
                for label, style, key in (
                    ("target alone", "target", f"{speed}_alone"),
                    ("speculative", "exact", speed),
                )
            ],
        ),
    ]
    placed = [
        f'<g transform="translate({number % 2 * WIDTH} {number // 2 * (HEIGHT + _GAP)})">'
        f"{chart}</g>"
        for number, chart in enumerate(charts)
    ]
    width, height = 2 * WIDTH, 2 * (HEIGHT + _GAP)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        f' width="{width}" height="{height}"><style>{_STYLE}</style>{"".join(placed)}</svg>\n'
    )


def _series(
    name: str, style: str, points: Points, x: str, y: str, *, scale: float = 1.0
) -> Series | None:
    found = [(scale * point[x], point[y]) for point in points if point[y] is not None]
    return Series(name, style, found) if found else None


def _chart(x: str, y: str, series: Sequence[Series | None]) -> str:
    drawn = [one for one in series if one is not None]
    if not drawn:
        return ""
    furthest = max(px for one in drawn for px, _ in one.points)
    highest = _round_up(max(py for one in drawn for _, py in one.points))
    chart = line_chart(
        f"{y} against {x}",
        drawn,
        Axis(x, 0.0, furthest, even_ticks(0, _round_up(furthest, down=True), 5)),
        Axis(y, 0.0, highest, even_ticks(0, highest, 5)),
        dots=True,
    )
    keys = [
        f'<circle class="dot {one.style}" cx="{60 + number * 130}" cy="{HEIGHT + 10}" r="4"/>'
        f'<text class="key" font-size="10" x="{68 + number * 130}" y="{HEIGHT + 14}">'
        f"{escape(one.name)}</text>"
        for number, one in enumerate(drawn)
    ]
    sized = chart.replace("<svg ", f'<svg width="{WIDTH}" height="{HEIGHT}" ', 1)
    return sized + "".join(keys)


def _round_up(value: float, *, down: bool = False) -> float:
    """The nearest number above (or below) that four even steps divide into round ticks."""
    scale = 1.0
    while scale * 10 <= value:
        scale *= 10
    while scale > value:
        scale /= 10
    steps = [scale * step for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10, 12)]
    if down:
        return max(step for step in steps if step <= value)
    return min(step for step in steps if step >= value)
