"""Decisions as JSON Lines with their texts, for other programs, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from judge_lightning.court.rejects import Rejected
from judge_lightning.court.review.decisions import Decision
from judge_lightning.court.review.items import ReviewItem


def to_json_lines(
    items: Iterable[ReviewItem], decisions: Mapping[str, Sequence[Decision]]
) -> Iterator[dict[str, Any]]:
    """One object an item: the fields of ``ReviewItem``, and ``decisions``, a list.

    Args:
        decisions: By tuple id, as ``by_tuple`` gives them.
    """
    for item in items:
        yield {**asdict(item), "decisions": [asdict(d) for d in decisions.get(item.id, ())]}


def from_json_lines(
    lines: Iterable[bytes], place: str, reviewer: str | None = None
) -> Iterator[Decision | Rejected]:
    """Reads what ``to_json_lines`` wrote, or plain decisions, one a line.

    Args:
        place: The file's name, for what cannot be used.
        reviewer: Overrules the names in the decisions.
    """
    for number, line in enumerate(lines, start=1):
        where = f"{place}:{number}"
        text = line.decode(errors="replace").strip()
        if not text:
            continue
        try:
            row = json.loads(line.decode())
        except UnicodeDecodeError as error:
            yield Rejected(where, "not UTF-8", str(error), text)
            continue
        except ValueError as error:
            yield Rejected(where, "not JSON", str(error), text)
            continue
        inside = row.get("decisions") if isinstance(row, dict) else None
        for one in [row] if inside is None else inside if isinstance(inside, list) else [inside]:
            try:
                named = {**one, "reviewer": reviewer} if reviewer and isinstance(one, dict) else one
                yield Decision.from_json(named)
            except ValueError as error:
                yield Rejected(where, "not a decision", str(error), text)
