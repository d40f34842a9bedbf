"""A bar chart over groups of lengths, in the manner of ``charts.py``."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from pipelines.report.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    WIDTH,
    Axis,
    across,
    frame,
    percent_ticks,
    round_ticks,
    up,
    vertical_mark,
)

_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
_MOST_BARS = 30


def bar_step(longest: int) -> int:
    """How many lengths a bar holds, so that there are at most 30 bars."""
    return next((step for step in _STEPS if longest < step * _MOST_BARS), longest)


def length_bars(
    title: str,
    counts: Mapping[int, int],
    style: str,
    mean: float,
    *,
    longest: int,
    of: str,
    axis: str,
) -> str:
    """Shares of ``of`` (a plural) by length, with the mean marked.

    Args:
        counts: How many there are of each length.
        longest: The right end of the length axis, so that two charts can share it.
        axis: What the length is.
    """
    step = bar_step(longest)
    groups = [0] * (longest // step + 1)
    for length, count in counts.items():
        groups[length // step] += count
    total = sum(groups) or 1
    peak = max(count / total for count in groups) * 1.08
    x = Axis(axis, 0.0, len(groups) * step, round_ticks(0.0, len(groups) * step))
    y = Axis("", 0.0, peak, percent_ticks(0.0, peak))
    width = (WIDTH - LEFT - RIGHT) / len(groups)
    bars = []
    for group, count in enumerate(groups):
        first, last = group * step, (group + 1) * step - 1
        lengths = str(first) if first == last else f"{first} to {last}"
        tip = escape(f"{lengths} tokens: {count / total:.1%} of {of} ({count})")
        top = up(count / total, y)
        bars.append(
            f'<rect class="bar {style}" x="{across(first, x) + width * 0.08:.1f}" y="{top:.1f}"'
            f' width="{width * 0.84:.1f}" height="{HEIGHT - BOTTOM - top:.1f}">'
            f"<title>{tip}</title></rect>"
        )
    # A length's bar stands on its own number: the mean of lengths is seen half a number later.
    mark = vertical_mark((mean + (0.5 if step == 1 else 0.0), f"mean {mean:.1f}"), x)
    return frame(title, x, y, "".join(bars) + mark)
