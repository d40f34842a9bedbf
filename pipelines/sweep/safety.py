"""What each job's judge says of flagged texts, category by category, the jobs side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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


def safety_tables(rows: Sequence[Row], show: Callable[[object], str]) -> list[SafetyTable]:
    """One table a share, for the jobs that have asked; empty where none has.

    Args:
        show: Writes a setting that tells the jobs apart, for the columns' names.
    """
    asked = [row for row in rows if row.safety]
    columns = [f"{row.number}: {', '.join(map(show, row.values))}" for row in asked]
    found = [row.safety for row in asked if row.safety]
    return [_table(share, columns, found) for share in _ABOUT] if asked else []


def _table(share: str, columns: list[str], asked: Sequence[Mapping[str, Any]]) -> SafetyTable:
    title, caption = _ABOUT[share]
    rows = []
    for name in dict.fromkeys(name for found in asked for name in found):
        first = next(found[name] for found in asked if name in found)
        standard = _cell(first, _STANDARD[share]) if share in _STANDARD else ""
        cells = [_cell(found.get(name), share) for found in asked]
        rows.append((name, bool(first["harmless"]), standard, cells))
    return SafetyTable(title, caption, columns, share in _STANDARD, rows)


def _cell(category: Mapping[str, Any] | None, share: str) -> str:
    found = None if category is None else category[share]
    return "–" if found is None else with_error(found["value"], found["stderr"])
