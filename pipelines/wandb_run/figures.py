"""The report's figures as W&B's own tables, charts and media."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LINES = {
    "train/layers": ("layer", "auroc", None, "AUROC by layer"),
    "calibrate/operating_curve": (
        *("threshold", "share", "what"),
        "What the judge keeps and rejects, by threshold",
    ),
    "decode/accepted": ("accepted", "share", "decoder", "Cycles by accepted draft tokens"),
}
"""Tables that are drawn as lines: the axes, what tells the lines apart, and a title."""

BARS = {
    "decode/cycle_seconds": ("part", "milliseconds", "Where the time of a cycle goes"),
}
"""Tables that are drawn as bars: the column of their names, that of their lengths, and a title."""

CHART_TABLE = "Custom Chart Tables/{}_table"
"""The key under which W&B keeps the table of a chart."""


def native(wandb: Any, figures: Mapping[str, Any]) -> dict[str, Any]:
    """What ``pipelines.report.figures`` has put together, as values for ``run.log``.

    Every table comes once, as a chart where it has one. What an older report lacks is left out.
    """
    values = {
        name: _drawn(wandb, name, wandb.Table(table["columns"], _cells(wandb, table)))
        for name, table in figures.get("tables", {}).items()
        if table["rows"]
    }
    for decoder, counts in figures.get("histograms", {}).items():
        values[f"decode/{decoder}/accepted"] = _histogram(wandb, counts)
    return values


def _drawn(wandb: Any, name: str, table: Any) -> Any:
    if name in LINES:
        x, y, stroke, title = LINES[name]
        return wandb.plot.line(table, x, y, stroke=stroke, title=title, split_table=True)
    if name in BARS:
        label, value, title = BARS[name]
        return wandb.plot.bar(table, label, value, title=title, split_table=True)
    return table


def _cells(wandb: Any, table: Mapping[str, Any]) -> list[list[Any]]:
    html = {number for number, name in enumerate(table["columns"]) if name in table["html"]}
    return [
        [
            wandb.Html(cell, inject=False) if number in html else cell
            for number, cell in enumerate(row)
        ]
        for row in table["rows"]
    ]


def _histogram(wandb: Any, counts: list[int]) -> Any:
    """Counts of 0, 1, 2, ...: each number is the middle of its bin."""
    edges = [number - 0.5 for number in range(len(counts) + 1)]
    return wandb.Histogram(np_histogram=(counts, edges))
