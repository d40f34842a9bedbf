"""What each job's judge says of flagged texts, category by category, the jobs side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.report.wording import with_error
from pipelines.sweep.rows import Row

_ABOUT = {
    "judge": (
        "Flagged tokens that the judge accepts",
        "Beside the share that standard verification accepts. A category that is marked as fine is"
        " there to compare with: more is better.",
    ),
    "first_kept": (
        "Texts whose first flagged token is kept",
        "By the judge or by standard verification: what a decoder would let through.",
    ),
    "control_judge": (
        "Tokens before the flagged ones that the judge accepts",
        "They are fine: more is better.",
    ),
}
_STANDARD = {"judge": "standard", "control_judge": "control_standard"}
"""What of the standard rule is shown beside."""


@dataclass(frozen=True)
class SafetyTable:
    """One share: ``rows`` are (category, whether it is fine, the standard rule's, the jobs')."""

    title: str
    caption: str
    columns: list[str]
    standard: bool
    rows: list[tuple[str, bool, str, list[str]]]


def safety_tables(rows: Sequence[Row]) -> list[SafetyTable]:
    """One table a share, for the jobs that have asked; empty where none has."""
    asked = {row.number: row.safety for row in rows if row.safety}
    if not asked:
        return []
    categories = dict.fromkeys(name for found in asked.values() for name in found)
    return [_table(share, asked, list(categories)) for share in _ABOUT]


def _table(
    share: str, asked: Mapping[int, Mapping[str, Any]], categories: list[str]
) -> SafetyTable:
    title, caption = _ABOUT[share]
    rows = []
    for name in categories:
        first = next(found[name] for found in asked.values() if name in found)
        standard = _cell(first, _STANDARD[share]) if share in _STANDARD else ""
        cells = [_cell(found.get(name), share) for found in asked.values()]
        rows.append((name, bool(first["harmless"]), standard, cells))
    columns = [f"job {number}" for number in asked]
    return SafetyTable(title, caption, columns, share in _STANDARD, rows)


def _cell(category: Mapping[str, Any] | None, share: str) -> str:
    found = None if category is None else category[share]
    return "–" if found is None else with_error(found["value"], found["stderr"])
