"""The report's charts, as inline SVG.

A chart is drawn for a card about 440 px wide and scales with it, so that its type stays
legible from a phone to a desktop. Colours are the page's CSS variables: a chart follows the
reader's light or dark theme, needs no script and asks no server for anything.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 440, 250
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 28, 40


@dataclass(frozen=True)
class Series:
    """One line of a chart: a name, a CSS class for its colour, and its points."""

    name: str
    style: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Axis:
    """A value axis: its title, its range and where its ticks stand, as (value, label)."""

    title: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]


def line_chart(
    title: str,
    series: Sequence[Series],
    x: Axis,
    y: Axis,
    *,
    mark: tuple[float, str] | None = None,
    dots: bool = False,
) -> str:
    """Lines over a value axis, with a named vertical mark at ``mark`` (x, label)."""
    body = [_grid(x, y)]
    if mark:
        body.append(vertical_mark(mark, x))
    for one in series:
        pixels = [(across(px, x), up(py, y)) for px, py in one.points]
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in pixels)
        body.append(f'<polyline class="line {one.style}" points="{path}"/>')
        for (px, py), (value_x, value_y) in zip(pixels, one.points, strict=True):
            tip = escape(f"{one.name}: {value_y:.4g} at {x.title} {value_x:g}")
            radius = 3.5 if dots else 6
            style = f"dot {one.style}" if dots else "hover"
            body.append(
                f'<circle class="{style}" cx="{px:.1f}" cy="{py:.1f}" r="{radius}">'
                f"<title>{tip}</title></circle>"
            )
    return _svg(title, "".join(body))


def histogram(title: str, counts: Sequence[int], style: str, mean: float, peak: float) -> str:
    """Shares of cycles by accepted draft tokens (0 to M), with the mean marked.

    ``peak`` is the top of the share axis, so that two histograms can share it.
    """
    total = sum(counts) or 1
    x = Axis("draft tokens accepted in a cycle", -0.5, len(counts) - 0.5, _whole_ticks(len(counts)))
    y = Axis("share of cycles", 0.0, peak, percent_ticks(0.0, peak))
    width = (WIDTH - LEFT - RIGHT) / len(counts)
    bars = []
    for accepted, count in enumerate(counts):
        share = count / total
        top = up(share, y)
        tip = f"{accepted} accepted: {share:.1%} of cycles ({count})"
        bars.append(
            f'<rect class="bar {style}" x="{across(accepted, x) - width * 0.42:.1f}"'
            f' y="{top:.1f}" width="{width * 0.84:.1f}" height="{HEIGHT - BOTTOM - top:.1f}">'
            f"<title>{tip}</title></rect>"
        )
    return _svg(title, _grid(x, y) + "".join(bars) + vertical_mark((mean, f"mean {mean:.1f}"), x))


def frame(title: str, x: Axis, y: Axis, body: str) -> str:
    """A chart of its axes and of ``body``."""
    return _svg(title, _grid(x, y) + body)


def round_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Three to seven round numbers between two."""
    span = max(high - low, 1e-9)
    power = 10 ** math.floor(math.log10(span))
    step = next(s * power for s in (0.2, 0.5, 1, 2, 5) if span / (s * power) <= 6)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(i * step, f"{i * step:g}") for i in range(first, last + 1)]


def percent_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Four to seven round percentages between two shares."""
    span = max(high - low, 1e-9)
    step = next((s for s in (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2) if span / s <= 6), 0.25)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    digits = 0 if step >= 0.01 else 1
    return [(i * step, f"{i * step:.{digits}%}") for i in range(first, last + 1)]


def even_ticks(low: float, high: float, count: int) -> list[tuple[float, str]]:
    """``count`` evenly spaced ticks, both ends included."""
    values = [low + (high - low) * i / (count - 1) for i in range(count)]
    return [(value, f"{value:g}") for value in values]


def integer_ticks(low: int, high: int, most: int = 12) -> list[tuple[float, str]]:
    """Whole numbers, thinned out to at most ``most``."""
    step = max(1, math.ceil((high - low + 1) / most))
    return [(value, str(value)) for value in range(low, high + 1, step)]


def _whole_ticks(count: int) -> list[tuple[float, str]]:
    step = 1 if count <= 8 else 5 if count <= 41 else 10
    return [(value, str(value)) for value in range(0, count, step)]


def across(value: float, x: Axis) -> float:
    """Pixels from the left."""
    return LEFT + (value - x.low) / ((x.high - x.low) or 1) * (WIDTH - LEFT - RIGHT)


def up(value: float, y: Axis) -> float:
    """Pixels from the top; what is out of range lies on the edge."""
    share = (value - y.low) / ((y.high - y.low) or 1)
    return HEIGHT - BOTTOM - min(max(share, 0.0), 1.0) * (HEIGHT - TOP - BOTTOM)


def _grid(x: Axis, y: Axis) -> str:
    floor = HEIGHT - BOTTOM
    parts = []
    for value, label in y.ticks:
        at = up(value, y)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
            f'<text class="tick" x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{label}</text>'
        )
    for value, label in x.ticks:
        at = across(value, x)
        parts.append(
            f'<text class="tick" x="{at:.1f}" y="{floor + 16}" text-anchor="middle">{label}</text>'
        )
    parts.append(
        f'<text class="axis" x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 6}"'
        f' text-anchor="middle">{escape(x.title)}</text>'
        f'<text class="axis" x="6" y="14">{escape(y.title)}</text>'
    )
    return "".join(parts)


def vertical_mark(mark: tuple[float, str], x: Axis) -> str:
    """A named vertical line at ``mark`` (x, label)."""
    value, label = mark
    at = across(value, x)
    right_half = at > (WIDTH + LEFT) / 2
    anchor, shift = ("end", -5) if right_half else ("start", 5)
    return (
        f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP - 18}" y2="{HEIGHT - BOTTOM}"/>'
        f'<text class="mark-label" x="{at + shift:.1f}" y="{TOP - 8}"'
        f' text-anchor="{anchor}">{escape(label)}</text>'
    )


def _svg(title: str, body: str) -> str:
    name = escape(title, quote=True)
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name}">'
        f"{body}</svg>"
    )
