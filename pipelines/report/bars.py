"""Bar charts over groups of lengths, over places and in parts, in the manner of ``charts.py``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import altair as alt

from pipelines.report.charts import HEIGHT, Axis, Chart, Rows, colour, data, vertical_mark

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


@dataclass(frozen=True)
class Part:
    """One part of a stacked bar: the rows' field, what it is called, and its colour's style."""

    field: str
    label: str
    style: str


def stacked_bars(
    title: str, rows: Rows, parts: Sequence[Part], *, axis: str, form: str = ","
) -> Chart:
    """A bar per row, by its ``name``, from the left: its parts one after the other.

    Args:
        rows: Each with ``name`` and a number for every part.
        axis: What is counted.
        form: The d3 format of its numbers.
    """
    labels = {part.field: part.label for part in parts}
    colours = alt.Scale(
        domain=[part.label for part in parts], range=[colour(part.style) for part in parts]
    )
    order = json.dumps({part.label: number for number, part in enumerate(parts)})
    base = (
        alt.Chart(data())
        .transform_fold([*labels], as_=["part", "number"])
        .transform_calculate(label=f"({json.dumps(labels)})[datum.part]")
        .transform_calculate(order=f"({order})[datum.label]")
    )
    bars = base.mark_bar(height={"band": 0.7}).encode(
        y=alt.Y(
            "name:N",
            sort=None,
            title=None,
            axis=alt.Axis(domain=False, ticks=False, labelLimit=130, titleX=0),
        ),
        x=alt.X("number:Q", title=axis, axis=alt.Axis(tickCount=5, format="~s", domain=False)),
        color=alt.Color("label:N", scale=colours, legend=None),
        order=alt.Order("order:Q"),
        tooltip=[
            alt.Tooltip("name:N", title="of"),
            alt.Tooltip("label:N", title="what"),
            alt.Tooltip("number:Q", title=axis, format=form),
        ],
    )
    height = max(90, 44 * len(rows))
    return Chart.of(title, bars.properties(height=height), rows, {"name": "", **labels})


def place_bars(title: str, counts: Mapping[str, int], style: str, *, of: str, axis: str) -> Chart:
    """Shares of ``of`` (a plural) by named place, in the given order.

    Below a bar stands its name's first word.
    """
    total = sum(counts.values()) or 1
    rows = [
        {"place": place, "share": count / total, "count": count} for place, count in counts.items()
    ]
    y = Axis("", 0.0, max(count / total for count in counts.values()) * 1.08, "percent")
    columns = {"place": axis, "share": f"share of {of}", "count": of}
    tips = [
        alt.Tooltip("place:N", title=axis),
        alt.Tooltip("share:Q", title=columns["share"], format=".1%"),
        alt.Tooltip("count:Q", title=of, format=","),
    ]
    bars = (
        alt.Chart(data())
        .mark_bar(color=colour(style))
        .encode(
            x=alt.X(
                "place:N",
                sort=None,
                title=axis,
                axis=alt.Axis(labelAngle=0, labelExpr="split(datum.label, ' ')[0]", ticks=False),
            ),
            y=y.y("share"),
            tooltip=tips,
        )
    )
    return Chart.of(title, bars.properties(height=HEIGHT), rows, columns)
