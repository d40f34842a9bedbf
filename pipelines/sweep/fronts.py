"""Every job as a point, quality against what it gains, with the Pareto front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from pipelines.report.cards import Card
from pipelines.report.charts import HEIGHT, Axis, Chart, colour, data, few
from pipelines.report.wording import NOISE, percent, points
from pipelines.sweep.highlight import KEY, pointed_at, tone, unless_another
from pipelines.sweep.ranking import SPEED, TOKENS, describe, quality_of, rank
from pipelines.sweep.rows import Row, Sweep

_ABOUT = "Filled: on the Pareto front, no job has more of both."
_SPOT, _BEST = 330, 3
"""Size of a point, in which a number has room, and the width of the best job's outline."""


def front_cards(sweep: Sweep, view: str) -> list[Card]:
    """Quality against tokens kept, and against speed where the jobs have one."""
    ranking = rank(sweep, view)
    rows = [row for row in sweep.done if view in row.views]
    kept = [(row, row.views[view].kept) for row in rows]
    fast = [(row, row.views[view].speedup) for row in rows]
    alone = " and ".join(dict.fromkeys(percent(row.views[view].target) for row in rows))
    key = [*used_key(rows, view), ("level", f"target alone {alone}")]
    found = []
    if any(value is not None for _, value in kept):
        about = f"Each job by its number, with 95 % intervals. {_ABOUT}"
        dots = _dots(sweep, view, kept, on_front=ranking.fronts[TOKENS])
        drawn = _draw(view, "draft tokens kept in a cycle", dots)
        found.append(Card("Quality against tokens kept", about, drawn, key))
    if len({value for _, value in fast if value is not None}) > 1:
        about = f"{_speed_note(sweep, rows)} {_ABOUT}"
        dots = _dots(sweep, view, fast, on_front=ranking.fronts[SPEED])
        drawn = _draw(view, "times the target's speed", dots)
        found.append(Card("Quality against speed", about, drawn, key))
    return found


def _dots(
    sweep: Sweep, view: str, gains: Sequence[tuple[Row, float | None]], *, on_front: frozenset[int]
) -> list[dict[str, Any]]:
    """The jobs that have a value, as a chart's rows."""
    best = rank(sweep, view).best
    dots = []
    for row, value in gains:
        one = row.views[view]
        if value is None:
            continue
        on, shade = row.number in on_front, tone(quality_of(one))
        dots.append(
            {
                "job": row.number,
                "name": describe(sweep, row),
                "gain": value,
                "right": one.right,
                "low": max(0.0, one.right - NOISE * one.right_stderr),
                "high": min(1.0, one.right + NOISE * one.right_stderr),
                "change": "" if one.change is None else f"{points(one.change)} points",
                "front": on,
                "tone": shade,
                "fill": shade if on else colour("card"),
                "number": colour("card") if on else shade,
                "target": one.target,
                "outline": colour("ink") if row is best else shade,
                "width": _BEST if row is best else 1.5,
            }
        )
    return dots


def _draw(view: str, gain: str, dots: Sequence[Mapping[str, Any]]) -> Chart:
    columns = {"job": "job", "name": "what", "gain": gain, "right": "right", "change": "change"}
    least, most = _around([dot["gain"] for dot in dots])
    targets = sorted({round(dot["target"], 6) for dot in dots})
    low = max(0.0, min([dot["low"] for dot in dots] + targets) - 0.03)
    x, y = Axis(gain, least, most), Axis("right answers", low, 1.0, "percent")
    drawn = alt.layer(_levels(targets, y), *_spots(x, y))
    title = f"Right answers to {view} against {gain}, job by job"
    return Chart.of(title, drawn.properties(height=HEIGHT + 70), dots, columns)


def _spots(x: Axis, y: Axis) -> list[alt.Chart]:
    base = alt.Chart(data()).encode(
        x=x.x("gain"), y=y.y("right"), opacity=unless_another(), order=alt.Order("front:Q")
    )
    tips = [
        alt.Tooltip("job:N", title="job"),
        alt.Tooltip("name:N", title="what"),
        alt.Tooltip("gain:Q", title=x.title, format=".2f"),
        alt.Tooltip("right:Q", title="right answers", format=".1%"),
        alt.Tooltip("change:N", title="against the target"),
    ]
    bars = base.mark_rule().encode(
        y=y.y("low"),
        y2="high:Q",
        opacity=unless_another(0.4),
        stroke=alt.Stroke("tone:N", scale=None),
    )
    front = (
        alt.Chart(data())
        .transform_filter("datum.front")
        .mark_line(color=colour("soft"), strokeDash=[2, 3], strokeWidth=1)
        .encode(x=x.x("gain"), y=y.y("right"))
    )
    spots = base.mark_point(size=_SPOT, opacity=1).encode(
        fill=alt.Fill("fill:N", scale=None),
        stroke=alt.Stroke("outline:N", scale=None),
        strokeWidth=alt.StrokeWidth("width:Q", scale=None),
        tooltip=tips,
    )
    numbers = base.mark_text(fontSize=11, fontWeight=600, dy=0.5).encode(
        text="job:N", color=alt.Color("number:N", scale=None), tooltip=tips
    )
    return [bars, front, spots.add_params(pointed_at()), numbers]


def _levels(targets: Sequence[float], y: Axis) -> alt.Chart:
    """What the target alone gets right, which is named in the card's key."""
    rows = [{"level": level} for level in targets]
    mark = alt.Chart(few(*rows)).mark_rule(color=colour("soft"), strokeDash=[5, 4], strokeWidth=1)
    return mark.encode(y=y.y("level"))


def used_key(rows: Sequence[Row], view: str) -> list[tuple[str, str]]:
    """What the colours that are there mean."""
    there = {tone(quality_of(row.views[view])) for row in rows}
    return [(style, label) for style, label in KEY if colour(style) in there]


def _speed_note(sweep: Sweep, rows: Sequence[Row]) -> str:
    if any(row.stand_in for row in rows):
        return "Speed of stand-ins."
    if any("baseline" in (job.summary.get("stages") or {}) for job in sweep.jobs):
        return (
            "Beware: the target was timed once for all jobs, at another moment than each judge;"
            " a run of its own says more."
        )
    return "One prompt at a time, on the machine of each job."


def _around(values: Sequence[float]) -> tuple[float, float]:
    """A range with some room; from 0 on where the values are far apart."""
    low, high = min(values), max(values)
    room = max((high - low) * 0.15, high * 0.02, 0.1)
    return (0.0 if low < high / 2 else low - room), high + room
