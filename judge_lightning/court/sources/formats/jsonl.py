"""A user's own prompts: two fields, whatever they are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from judge_lightning.court.sources.formats import Item, RowError, text_field, text_or_nothing

if TYPE_CHECKING:
    from judge_lightning.court.sources import Source

_CARRIED = ("category", "choices", "context", "entry_point", "test", "turns")
"""Fields that checkers know, handed on as they are."""


def read_row(row: Mapping[str, Any], source: Source) -> Item:
    """The reference may be missing where the checker can do without one."""
    checker = source.checker or "final_number"
    text = text_field(row, source.prompt_field)
    if checker in ("none", "prompted", "unit_tests"):
        reference = text_or_nothing(row, source.reference_field)
    else:
        reference = text_field(row, source.reference_field)
    if checker == "unit_tests" and not text_or_nothing(row, "test"):
        raise RowError("field missing", "the checker unit_tests needs 'test'")
    return Item(text, reference, checker, meta={k: row[k] for k in _CARRIED if k in row})
