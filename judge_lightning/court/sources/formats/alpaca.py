"""Alpaca: instructions, some with an input, and a written answer to each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from judge_lightning.court.sources.formats import About, Item, text_field, text_or_nothing

if TYPE_CHECKING:
    from judge_lightning.court.sources import Source

ABOUT = About("Alpaca", "https://github.com/tatsu-lab/stanford_alpaca", "CC BY-NC 4.0")


def read_row(row: Mapping[str, Any], source: Source) -> Item:
    """The input follows its instruction; many answers are right, so a model has to check them."""
    parts = (text_field(row, "instruction").strip(), text_or_nothing(row, "input").strip())
    text = "\n\n".join(part for part in parts if part)
    return Item(text, text_or_nothing(row, "output"), "prompted")
