"""A scatter chart with error bars and a front, in the manner of ``charts.py``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from pipelines.report.charts import HEIGHT, LEFT, RIGHT, WIDTH, Axis, across, frame, up


@dataclass(frozen=True)
class Dot:
    """One point with the interval of its height.

    Attributes:
        style: A CSS class for its colour.
        tip: What it says when pointed at.
        number: Stands beside it and joins it to a table; None for a point off the front.
    """

    style: str
    x: float
    y: float
    low: float
    high: float
    tip: str
    number: int | None = None


def scatter_chart(
    title: str,
    dots: Sequence[Dot],
    x: Axis,
    y: Axis,
    levels: Sequence[tuple[float, str]] = (),
    *,
    joined: bool = True,
) -> str:
    """Dots over two value axes; those with a number are filled and ``joined``, in the order of x.

    ``levels`` are named horizontal lines, as (height, label).
    """
    body = [_level(level, label, y) for level, label in levels]
    if joined:
        front = sorted((dot for dot in dots if dot.number is not None), key=lambda dot: dot.x)
        path = " ".join(f"{across(dot.x, x):.1f},{up(dot.y, y):.1f}" for dot in front)
        body.append(f'<polyline class="front" points="{path}"/>')
    # Numbered ones last, so that they lie on top.
    body += [_dot(dot, x, y) for dot in sorted(dots, key=lambda dot: dot.number is not None)]
    return frame(title, x, y, "".join(body))


def _dot(dot: Dot, x: Axis, y: Axis) -> str:
    at, height = across(dot.x, x), up(dot.y, y)
    off = "" if dot.number is not None else " off"
    label = ""
    if dot.number is not None:
        # Neighbours are seldom apart by a digit's width: every second number stands below.
        below = 17 if dot.number % 2 == 0 else -8
        label = (
            f'<text class="mark-label" x="{at:.1f}" y="{height + below:.1f}"'
            f' text-anchor="middle">{dot.number}</text>'
        )
    return (
        f'<line class="error {dot.style}" x1="{at:.1f}" x2="{at:.1f}"'
        f' y1="{up(dot.low, y):.1f}" y2="{up(dot.high, y):.1f}"/>'
        f'<circle class="dot {dot.style}{off}" cx="{at:.1f}" cy="{height:.1f}" r="4">'
        f"<title>{escape(dot.tip)}</title></circle>{label}"
    )


def _level(level: float, label: str, y: Axis) -> str:
    at = up(level, y)
    return (
        f'<line class="level" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
        f'<text class="level-label" x="{LEFT + 4}" y="{min(at + 13, HEIGHT):.1f}">'
        f"{escape(label)}</text>"
    )
