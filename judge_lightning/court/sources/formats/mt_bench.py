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
    turns = text_list(row, "turns" if "turns" in row else "prompt")
    if not turns or not turns[0].strip():
        raise RowError("empty text", "the first turn")
    references = row.get("reference")
    if isinstance(references, str):
        references = [references]
    reference = references[0] if isinstance(references, list) and references else ""
    if not isinstance(reference, str):
        raise RowError("no text", "the first reference")
    meta = {"turns": turns, "category": row.get("category")}
    return Item(turns[0], reference, "prompted", meta=meta)
