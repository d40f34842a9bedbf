"""What the pages' sections share: cards with a chart, rows of cells, and a decoder's colour."""

from __future__ import annotations

from dataclasses import dataclass, field

from evals.decoders import DECODERS
from pipelines.report.charts import Chart


@dataclass(frozen=True)
class Card:
    """One chart with its heading, what it says, and its key as (style, label)."""

    title: str
    caption: str
    chart: Chart
    key: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class BlockRow:
    """One row of an opening picture: a block's M cells, each filled in percent."""

    name: str
    style: str
    kept: float
    parts: list[int]

    @classmethod
    def of(cls, name: str, style: str, kept: float, cells: int) -> BlockRow:
        """A row of which ``kept`` of ``cells`` are filled, the last one in part."""
        parts = [round(100 * min(max(kept - cell, 0.0), 1.0)) for cell in range(cells)]
        return cls(name, style, kept, parts)


def style_of(decoder: str) -> str:
    """The CSS class of a decoder's colour."""
    return decoder if decoder in DECODERS else "rule"
