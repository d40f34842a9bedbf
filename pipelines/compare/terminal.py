"""A comparison as tables for a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.compare.answers import TurnedAnswers
from pipelines.compare.comparison import Comparison
from pipelines.compare.grid import Grid, stand_upright, tables
from pipelines.compare.measures import Measure
from pipelines.plan import SHORT_KEY
from pipelines.report.quality import p_value_text
from pipelines.report.wording import points
from pipelines.sweep.rows import show_value

_LONGEST = 48
"""Characters of a setting that are shown."""

_TONES = {1: "green", -1: "red", 0: "dim"}


def print_comparison(comparison: Comparison, console: Console, *, everything: bool) -> None:
    """Prints what differs, and with ``everything`` also what is alike."""
    upright = stand_upright(len(comparison.runs), console.width)
    console.print()
    console.print(_runs(comparison))
    for run in comparison.runs:
        if run.failed is not None:
            console.print(Text(f"run {run.number} failed: {run.failed}", style="yellow"))
    for grid in (
        _settings(comparison, everything),
        _stages(comparison, everything),
        _origins(comparison),
        _measures(comparison, everything),
    ):
        if grid.sections:
            for table in tables(grid, console.width, upright=upright):
                console.print(table)
    if comparison.answers:
        console.print(_answers(comparison, everything))
    for line in _notes(comparison, everything):
        console.print(Text(line))


def _runs(comparison: Comparison) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title=Text("Runs"), title_justify="left", title_style="bold")
    table.add_column("#", justify="right")
    table.add_column("run", overflow="fold")
    table.add_column("pair", overflow="fold")
    table.add_column("found in the store", justify="right")
    table.add_column("state")
    for run in comparison.runs:
        state = Text("done") if run.failed is None else Text("failed", style="yellow")
        pair = str(run.summary.get("pair") or "-")
        table.add_row(str(run.number), Text(run.job.name), Text(pair), run.found_in_store, state)
    return table


def _settings(comparison: Comparison, everything: bool) -> Grid:
    grid = Grid("What differs in the configuration", _headings(comparison))
    for one in comparison.settings:
        if everything or not one.inside:
            label = one.field.removesuffix(".name")
            grid.add(label, _against_first([_setting(value) for value in one.values]))
    return grid


def _stages(comparison: Comparison, everything: bool) -> Grid:
    why = any(one.reason for one in comparison.stages)
    headings = [*_headings(comparison), *(["what differs"] if why else [])]
    grid = Grid("Artifacts that differ" if not everything else "Artifacts", headings)
    for one in comparison.stages:
        if everything or not one.shared:
            keys = ["-" if key is None else key[:SHORT_KEY] for key in one.keys]
            reason = one.reason or ("" if one.shared else "inputs")
            grid.add(one.stage, [*_against_first(keys), *([Text(reason)] if why else [])])
    return grid


def _origins(comparison: Comparison) -> Grid:
    grid = Grid("Where the answers were decoded", _headings(comparison))
    for one in comparison.origins:
        grid.add(one.name, _against_first(one.values))
    return grid


def _measures(comparison: Comparison, everything: bool) -> Grid:
    grid = Grid("Numbers, with the difference to run 1", _headings(comparison))
    for one in comparison.measures:
        if everything or not one.equal:
            grid.add(one.label, _number_cells(one), one.section)
    return grid


def _number_cells(measure: Measure) -> list[Text]:
    cells = []
    for text, change, better in zip(measure.texts, measure.changes, measure.better, strict=True):
        cell = Text(text)
        if change and text != measure.texts[0]:
            cell.append(f"  {change}", style=_TONES[better])
        cells.append(cell)
    return cells


def _answers(comparison: Comparison, everything: bool) -> Table:
    confidence = comparison.answers[0].paired.confidence
    title = f"Right answers against run 1, prompt by prompt ({confidence:.0%} intervals)"
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold")
    table.add_column("run", justify="right")
    table.add_column("decoder")
    if everything:
        table.add_column("prompts of")
    for name in ("prompts", "same\nanswer", "differ-\nence", "interval", "turned\nwrong",
                 "turned\nright", "p"):  # fmt: skip
        table.add_column(name, justify="right")
    for one in comparison.answers:
        table.add_row(
            str(one.run), one.decoder, *([one.family] if everything else []), *_turned(one)
        )
    return table


def _turned(one: TurnedAnswers) -> Iterator[str | Text]:
    paired = one.paired
    tone = "red" if paired.high < 0 else "green" if paired.low > 0 else ""
    yield str(one.prompts)
    yield str(one.same_text)
    yield Text(points(paired.value), style=tone)
    yield f"{points(paired.low)} to {points(paired.high)}"
    yield str(paired.turned_wrong)
    yield str(paired.turned_right)
    yield p_value_text(paired.p_value)


def _notes(comparison: Comparison, everything: bool) -> Iterator[str]:
    for run in comparison.runs:
        if not run.settings:
            yield f"run {run.number} has no config.yaml: its configuration is not compared"
    if not comparison.settings:
        yield "The configurations do not differ."
    shared = [one for one in comparison.stages if one.shared]
    if shared and not everything:
        names = (f"{one.stage} {(one.keys[0] or '')[:SHORT_KEY]}" for one in shared)
        yield f"Artifacts that all runs share: {', '.join(names)}."
    alike = sum(one.equal for one in comparison.measures)
    if alike and not everything:
        yield f"{alike} of {len(comparison.measures)} numbers are alike in all runs (--all)."
    yield from (f"{note[0].upper()}{note[1:]}." for note in comparison.notes)


def _headings(comparison: Comparison) -> list[str]:
    return [str(run.number) for run in comparison.runs]


def _against_first(values: list[str]) -> list[Text]:
    """What equals the first run's is dim."""
    return [
        Text(value, style="dim" if place and value == values[0] else "")
        for place, value in enumerate(values)
    ]


def _setting(value: Any) -> str:
    text = json.dumps(value) if isinstance(value, list) else show_value(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
