"""Formats: how one row of a data set becomes a prompt. One format a file.

A module here is a format under its own name. It has ``ABOUT`` (absent for people's own data) and
``read_row(row, source) -> Item``, which raises ``RowError`` for a row that it cannot use; and
``COLUMNS`` where the original is a CSV file without a header line. A format that makes its
prompts up has ``generate(source)`` and ``validate(source)`` instead. Adding one touches nothing
else.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

LETTERS = "ABCDEFGHIJ"


@dataclass(frozen=True)
class About:
    """A data set's name, address and licence, for the dataset card."""

    name: str
    url: str | None
    licence: str | None


@dataclass(frozen=True)
class Item:
    """What a row asks, and how its answers are checked.

    ``content`` is the text without instructions that all rows share (empty: all of it): they
    would make every two prompts look alike. ``meta`` is what the checker needs.
    """

    text: str
    reference: str
    checker: str
    content: str = ""
    meta: dict[str, Any] = field(default_factory=dict)


class RowError(Exception):
    """A row that cannot be used: a short ``reason`` that can be counted, and particulars."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")


def format_names() -> tuple[str, ...]:
    """The formats that exist."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def load_format(name: str) -> ModuleType:
    """The module of that format; ``Source.validate`` has refused what is none."""
    return importlib.import_module(f"{__name__}.{name}")


def own_data(name: str) -> About:
    """What is known about data that a user brought."""
    return About(name, None, None)


def text_field(row: Mapping[str, Any], *names: str) -> str:
    """The text of the first of these fields that the row has; a number is read as text.

    Raises:
        RowError: It has none of them, or what stands there is no text or empty.
    """
    for name in names:
        value = row.get(name)
        if value is None:
            continue
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            raise RowError("no text", f"field {name!r} is a {type(value).__name__}")
        if not value.strip():
            raise RowError("empty text", f"field {name!r}")
        return value
    raise RowError("field missing", f"{' or '.join(map(repr, names))} is not in {sorted(row)}")


def text_or_nothing(row: Mapping[str, Any], name: str) -> str:
    """The text of a field that may be missing or empty."""
    value = row.get(name)
    return value if isinstance(value, str) else ""


def text_list(row: Mapping[str, Any], name: str) -> list[str]:
    """The texts of a field that holds a list of them.

    Raises:
        RowError: The field is missing, no list, or holds something else.
    """
    if name not in row:
        raise RowError("field missing", f"{name!r} is not in {sorted(row)}")
    values = row[name]
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise RowError("no text", f"field {name!r} is no list of texts")
    return values


def multiple_choice(
    question: str, choices: Sequence[str], right: int, meta: Mapping[str, Any]
) -> Item:
    """A question with lettered options, whose reference is the letter of option ``right``.

    Raises:
        RowError: There are too few or too many options, or ``right`` is none of them.
    """
    if not 2 <= len(choices) <= len(LETTERS):
        raise RowError("options unreadable", f"there are {len(choices)}")
    if not 0 <= right < len(choices):
        raise RowError("reference unreadable", f"option {right} of {len(choices)}")
    options = "\n".join(
        f"{letter}. {choice}" for letter, choice in zip(LETTERS, choices, strict=False)
    )
    content = f"{question.strip()}\n\n{options}"
    return Item(
        text=f"{content}\n\nAnswer with the letter of the right option.",
        reference=LETTERS[right],
        checker="multiple_choice",
        content=content,
        meta={"choices": list(choices), **meta},
    )
