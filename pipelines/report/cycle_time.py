"""The report's section on where the time of a cycle goes, against its bare forward passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import altair as alt

from evals.cycle_time import PARTS, CycleSeconds
from evals.decoders import HEADLINE
from pipelines.report.charts import Axis, Chart, colour, data
from pipelines.report.material import Material
from pipelines.report.wording import percent

_STYLES = {"draft": "rule", "verify": "target", "judge": "judge", "overhead": "soft"}
_MEANINGS = {
    "draft": "draft",
    "verify": "verify (the target's pass)",
    "judge": "verdict (standard rule and judge)",
    "overhead": "overhead",
}
_BAR_HEIGHT = 44


@dataclass(frozen=True)
class CycleSection:
    """The section's sentences, its chart and the chart's key as (style, meaning)."""

    lead: str
    note: str
    chart: Chart
    key: list[tuple[str, str]]


def cycle_section(material: Material, shown: Sequence[str]) -> CycleSection | None:
    """The decoders that are ``shown``; None where the timings have no parts."""
    cycles = {name: row for name, row in material.speed.cycles.items() if name in shown}
    if not cycles:
        return None
    names = {name: material.identity.name_of(name) for name in cycles}
    told = next((name for name in reversed(HEADLINE) if name in cycles), next(iter(cycles)))
    return CycleSection(
        lead=_read_aloud(names[told], cycles[told]),
        note=_note(material, cycles),
        chart=cycle_chart({names[name]: row for name, row in cycles.items()}),
        key=_key(cycles),
    )


def cycle_chart(cycles: Mapping[str, CycleSeconds]) -> Chart:
    """A stacked bar per decoder, the parts of a cycle in milliseconds, with the bound as a mark."""
    rows = [_row(decoder, part, row) for decoder, row in cycles.items() for part in PARTS]
    columns = {
        "decoder": "decoder",
        "part": "part",
        "milliseconds": "milliseconds",
        "share": "share",
        "bound": "bare passes, milliseconds",
    }
    longest = 1000 * max(max(row.seconds, row.bound or 0.0) for row in cycles.values())
    x = Axis("milliseconds a cycle", 0.0, longest * 1.08)
    scale = alt.Scale(domain=list(PARTS), range=[colour(_STYLES[part]) for part in PARTS])
    tips = [
        alt.Tooltip("decoder:N"),
        alt.Tooltip("part:N"),
        alt.Tooltip("milliseconds:Q", format=".3~f"),
        alt.Tooltip("share:Q", title="share of the cycle", format=".1%"),
        alt.Tooltip("bound:Q", title=columns["bound"], format=".3~f"),
    ]
    # Above its bar, so that a name has the chart's whole width on a phone, too.
    y = alt.Y("decoder:N", sort=None, title=None, axis=None)
    base = alt.Chart(data()).encode(y=y)
    bars = base.mark_bar(height=16).encode(
        x=x.x("from"),
        x2="to:Q",
        color=alt.Color("part:N", scale=scale, legend=None),
        tooltip=tips,
    )
    first = base.transform_filter(alt.datum.part == PARTS[0])
    named = first.mark_text(align="left", dy=-17, color=colour("ink"), fontWeight=600).encode(
        x=alt.value(0), text="decoder:N"
    )
    bounded = first.transform_filter("isValid(datum.bound)")
    mark = bounded.mark_tick(thickness=2, size=28, color=colour("ink")).encode(
        x=x.x("bound"), tooltip=[alt.Tooltip("bound:Q", title=columns["bound"], format=".3~f")]
    )
    height = _BAR_HEIGHT * len(cycles) + 12
    drawn = alt.layer(bars, named, mark).properties(height=height)
    title = "Milliseconds of a cycle by part: " + "; ".join(
        f"{decoder} {_milliseconds(row.seconds)}" for decoder, row in cycles.items()
    )
    return Chart.of(title, drawn, rows, columns)


def _row(decoder: str, part: str, row: CycleSeconds) -> dict[str, str | float | None]:
    before = sum(getattr(row, earlier) for earlier in PARTS[: PARTS.index(part)])
    seconds = getattr(row, part)
    return {
        "decoder": decoder,
        "part": part,
        "from": 1000 * before,
        "to": 1000 * (before + seconds),
        "milliseconds": 1000 * seconds,
        "share": seconds / row.seconds if row.seconds else 0.0,
        "bound": None if row.bound is None else 1000 * row.bound,
    }


def _key(cycles: Mapping[str, CycleSeconds]) -> list[tuple[str, str]]:
    parts = [(_STYLES[part], _MEANINGS[part]) for part in PARTS]
    bounded = any(row.bound is not None for row in cycles.values())
    return [*parts, ("ink", "bound: the bare passes")] if bounded else parts


def _read_aloud(name: str, row: CycleSeconds) -> str:
    shares = {part: percent(getattr(row, part) / (row.seconds or 1)) for part in PARTS}
    sentence = (
        f"{name}: of a cycle's {_milliseconds(row.seconds)} ms, {shares['draft']} is drafting,"
        f" {shares['verify']} the target's pass, {shares['judge']} the verdict and"
        f" {shares['overhead']} overhead"
    )
    if row.bound is None or row.efficiency is None:
        return f"{sentence}."
    bare = f"{sentence}; its forward passes alone take {_milliseconds(row.bound)} ms"
    if row.efficiency > 1:
        return f"{bare}, no less: the machine's other work hides what a cycle costs beside them."
    return f"{bare}, an efficiency of {row.efficiency:.2f}."


def _milliseconds(seconds: float) -> str:
    value = 1000 * seconds
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f}"


def _note(material: Material, cycles: Mapping[str, CycleSeconds]) -> str:
    timed = material.speed
    where = f"the stand-in {timed.pair}" if timed.apart else timed.pair
    kind = "a stand-in, " if timed.stand_in and not timed.apart else ""
    counts = ", ".join(
        f"{row.cycles} of {material.identity.name_of(name)}" for name, row in cycles.items()
    )
    which = (
        "all but the first of each answer"
        if material.identity.adaptive
        else f"those that propose all {material.identity.draft_length} tokens, but not the first of"
        " an answer"
    )
    note = (
        f"Mean cycles on {kind}{where}{f', {timed.engine} engine' if timed.engine else ''}:"
        f" {which} ({counts}). The verdict is the standard rule's and the judge's in one; the"
        " judge's head costs what it has more than the standard rule alone."
    )
    if any(row.bound is not None for row in cycles.values()):
        note += (
            f" The mark is the bound: {material.identity.draft_length} bare forwards of the draft"
            " and one of the target, timed between the prompts on the same caches. On a machine"
            " with other work both scatter."
        )
    elif material.identity.adaptive:
        note += " Blocks of many lengths have no one bound."
    return note
