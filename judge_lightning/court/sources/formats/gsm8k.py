"""GSM8K: grade-school problems with a worked answer that ends in ``#### 18``.

The files of model solutions that come with it call the answer ``ground_truth``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from judge_lightning.court.sources.formats import About, Item, text_field

if TYPE_CHECKING:
    from judge_lightning.court.sources import Source

ABOUT = About("GSM8K", "https://github.com/openai/grade-school-math", "MIT")


def read_row(row: Mapping[str, Any], source: Source) -> Item:
    """The question as it stands, the worked answer as reference."""
    return Item(
        text_field(row, "question"), text_field(row, "answer", "ground_truth"), "final_number"
    )
