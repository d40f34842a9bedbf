"""The picture of ``benchmarks.context_growth``: four charts in one SVG that needs no page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

Points = Sequence[Mapping[str, Any]]

Line = tuple[str, str, list[tuple[float, float]]]
"""A name, a colour, and points."""

_COLOURS = {"target": "#777777", "exact": "#2563c9", "judge": "#0a8f5b"}


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
    import vl_convert

    picture = alt.concat(*filter(None, charts), columns=2).resolve_scale(color="independent")
    picture = picture.configure(font="sans-serif").configure_view(stroke=None)
    return str(vl_convert.vegalite_to_svg(picture.to_dict())) + "\n"


def _series(
    name: str, style: str, points: Points, x: str, y: str, *, scale: float = 1.0
) -> Line | None:
    found = [(scale * point[x], point[y]) for point in points if point[y] is not None]
    return (name, _COLOURS[style], found) if found else None


def _chart(x: str, y: str, lines: Sequence[Line | None]) -> alt.Chart | None:
    drawn = [line for line in lines if line is not None]
    if not drawn:
        return None
    rows = [{"name": name, "x": px, "y": py} for name, _, points in drawn for px, py in points]
    colours = alt.Scale(
        domain=[name for name, _, _ in drawn], range=[shown for _, shown, _ in drawn]
    )
    colour = alt.Color("name:N", title=None, scale=colours, legend=alt.Legend(orient="bottom"))
    return (
        alt.Chart(alt.Data(values=rows))
        .mark_line(point=True)
        .encode(x=alt.X("x:Q", title=x), y=alt.Y("y:Q", title=y), color=colour)
        .properties(width=380, height=180)
    )
