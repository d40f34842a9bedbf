"""A bar chart over groups of lengths, in the manner of ``charts.py``."""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt

from pipelines.report.charts import HEIGHT, Axis, Chart, colour, data, vertical_mark

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
) -> Chart:
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
    rows = []
    for group, count in enumerate(groups):
        first, last = group * step, (group + 1) * step - 1
        lengths = str(first) if first == last else f"{first} to {last}"
        edges = {"from": first + step * 0.08, "to": first + step * 0.92}
        rows.append({**edges, "tokens": lengths, "share": count / total, "count": count})
    x = Axis(axis, 0.0, len(groups) * step, "whole")
    y = Axis("", 0.0, max(count / total for count in groups) * 1.08, "percent")
    columns = {"tokens": "tokens", "share": f"share of {of}", "count": of}
    tips = [
        alt.Tooltip("tokens:N", title="tokens"),
        alt.Tooltip("share:Q", title=columns["share"], format=".1%"),
        alt.Tooltip("count:Q", title=of),
    ]
    bars = (
        alt.Chart(data())
        .mark_bar(color=colour(style))
        .encode(x=x.x("from"), x2="to:Q", y=y.y("share"), y2=alt.datum(0), tooltip=tips)
    )
    # A length's bar stands on its own number: the mean of lengths is seen half a number later.
    mark = vertical_mark((mean + (0.5 if step == 1 else 0.0), f"mean {mean:.1f}"), x)
    return Chart.of(title, alt.layer(bars, mark).properties(height=HEIGHT), rows, columns)
