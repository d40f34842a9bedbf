"""MMLU: questions of 57 subjects with four options.

The original files are CSV without a header line and give the right option's letter; the Hub's
rows give its number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from judge_lightning.court.sources.formats import (
    LETTERS,
    About,
    Item,
    RowError,
    multiple_choice,
    text_field,
    text_list,
)

if TYPE_CHECKING:
    from judge_lightning.court.sources import Source

ABOUT = About("MMLU", "https://github.com/hendrycks/test", "MIT")
COLUMNS = ("question", "A", "B", "C", "D", "answer")


def read_row(row: Mapping[str, Any], source: Source) -> Item:
    """The subject, where the row names one, is the prompt's category."""
    if "choices" in row:
        choices = text_list(row, "choices")
    else:
        choices = [text_field(row, letter) for letter in "ABCD"]
    meta = {"category": row["subject"]} if row.get("subject") else {}
    return multiple_choice(text_field(row, "question"), choices, _right(row), meta)


def _right(row: Mapping[str, Any]) -> int:
    answer = text_field(row, "answer").strip()
    if answer.isdecimal():
        return int(answer)
    if len(answer) != 1 or answer not in LETTERS:
        raise RowError("reference unreadable", f"answer {answer!r}")
    return LETTERS.index(answer)
