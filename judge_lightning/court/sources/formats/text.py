"""Plain text, such as Wikipedia's summaries: the text is what a good answer looks like.

A row with a title asks for a summary of that subject; one without asks how its text goes on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from judge_lightning.court.sources.formats import Item, RowError, text_field, text_or_nothing

if TYPE_CHECKING:
    from judge_lightning.court.sources import Source

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")
_SHORTEST_BEGINNING = 40
"""Characters: a beginning must say what the text is about."""


def read_row(row: Mapping[str, Any], source: Source) -> Item:
    """The first paragraph counts: in an article it is the summary."""
    whole = text_field(row, "summary", "text").strip()
    paragraph = re.split(r"\n\s*\n", whole, maxsplit=1)[0].strip()
    title = text_or_nothing(row, "title").strip()
    if title:
        text = f"Write a short encyclopedia summary about: {title}"
        return Item(text, paragraph, "prompted", f"{title}\n{paragraph}", {"title": title})
    beginning, rest = _cut(paragraph)
    return Item(f"Continue this text:\n\n{beginning}", rest, "prompted", content=beginning)


def _cut(paragraph: str) -> tuple[str, str]:
    """After the first sentences that are long enough to go on from."""
    for end in _SENTENCE_END.finditer(paragraph):
        if end.start() >= _SHORTEST_BEGINNING and end.end() < len(paragraph):
            return paragraph[: end.start()], paragraph[end.end() :]
    raise RowError("too short to continue", "one sentence is the beginning, one the rest")
