"""The steps of a worked-out answer: its lines, and the sentences of a line."""

from __future__ import annotations

import re

_STEP = re.compile(r"\S(?:[^\n]*?[.!?](?=\s+[A-Z])|[^\n]*\S|)")
"""A full stop inside a number or an abbreviation goes on with a small letter or a digit."""


def step_spans(text: str) -> list[tuple[int, int]]:
    """The half-open character ranges of the steps, blanks around them left out."""
    return [match.span() for match in _STEP.finditer(text)]
