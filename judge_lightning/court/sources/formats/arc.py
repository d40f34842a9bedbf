"""ARC, easy and challenge: science questions with three to five options.

The Hub's rows hold the options beside the question, the original files within it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from judge_lightning.court.sources.formats import (
    About,
    Item,
    RowError,
    multiple_choice,
    text_field,
    text_list,
)

if TYPE_CHECKING:
    from judge_lightning.court.sources import Source

ABOUT = About("ARC", "https://allenai.org/data/arc", "CC BY-SA 4.0")


def read_row(row: Mapping[str, Any], source: Source) -> Item:
    """The options are lettered anew: some rows call them 1 to 4."""
    question, labels, choices = _parts(row)
    key = text_field(row, "answerKey").strip()
    if key not in labels:
        raise RowError("reference unreadable", f"answerKey {key!r} is none of {labels}")
    return multiple_choice(question, choices, labels.index(key), {})


def _parts(row: Mapping[str, Any]) -> tuple[str, list[str], list[str]]:
    original = row.get("question")
    if isinstance(original, dict):
        options = original.get("choices")
        if not isinstance(options, list) or not all(isinstance(each, dict) for each in options):
            raise RowError("options unreadable", "question.choices is no list of objects")
        columns = {key: [each.get(key) for each in options] for key in ("label", "text")}
        question = text_field(original, "stem")
    else:
        question, columns = text_field(row, "question"), row.get("choices")  # type: ignore[assignment]
        if not isinstance(columns, dict):
            raise RowError("options unreadable", "choices is no object")
    labels, choices = text_list(columns, "label"), text_list(columns, "text")
    if len(labels) != len(choices):
        raise RowError("options unreadable", f"{len(labels)} labels for {len(choices)} options")
    return question, labels, choices
