"""MT-Bench and Spec-Bench: open questions of one or two turns, by category.

The original files call the turns ``turns``, the Hub's rows ``prompt``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from judge_lightning.court.sources.formats import About, Item, RowError, text_list

if TYPE_CHECKING:
    from judge_lightning.court.sources import Source

ABOUT = About(
    "MT-Bench", "https://github.com/lm-sys/FastChat/tree/main/fastchat/llm_judge", "Apache-2.0"
)


def read_row(row: Mapping[str, Any], source: Source) -> Item:
    """The first turn is the prompt; all of them are in ``meta["turns"]``.

    Few questions have a reference, and those are hints for a judging model.
    """
    turns = turns_of(row)
    references = references_of(row)
    meta = {"turns": turns, "category": row.get("category")}
    return Item(turns[0], references[0] if references else "", "prompted", meta=meta)


def turns_of(row: Mapping[str, Any]) -> list[str]:
    """What the user asks, turn by turn.

    Raises:
        RowError: There is no first turn.
    """
    turns = text_list(row, "turns" if "turns" in row else "prompt")
    if not turns or not turns[0].strip():
        raise RowError("empty text", "the first turn")
    return turns


def references_of(row: Mapping[str, Any]) -> list[str]:
    """The reference of every turn that the row has one for; empty where it has none.

    Raises:
        RowError: One is no text.
    """
    references = row.get("reference")
    if isinstance(references, str):
        references = [references]
    if not isinstance(references, list):
        return []
    if not all(isinstance(reference, str) for reference in references):
        raise RowError("no text", "a reference")
    return references
