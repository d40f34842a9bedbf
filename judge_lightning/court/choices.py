"""The option that an answer to a multiple-choice question chooses."""

from __future__ import annotations

import re

# Letters count in capitals only: "the answer is a dog" chooses nothing.
_CHOICE = r"(?:[(\[]([A-J1-5])[)\]]|([A-J1-5])(?![\w'’]))"
_MARKED = (
    re.compile(rf"\\boxed\{{\s*(?:\\text\w*\{{)?\s*{_CHOICE}"),
    re.compile(rf"<answer>\s*{_CHOICE}", re.IGNORECASE),
    re.compile(
        r"(?i:\b(?:answer|option|choice)(?:\s+\w+){0,2}?(?:\s+(?:is|would\s+be|must\s+be))?)"
        rf"[*_`]{{0,3}}\s{{0,9}}[:=]?[\s*_`\"]{{0,9}}(?i:(?:option|choice)\s+)?[*_`]{{0,3}}{_CHOICE}"
    ),
    re.compile(rf"(?i:\b(?:is|choose|pick|select)\s+(?:option|choice))\s+[*_`]*{_CHOICE}"),
)
_BARE = re.compile(r"^[ \t]*[*_`]*[(\[]?([A-J1-5])[)\]]?[*_`]*(?:[.:)]|[ \t]*$)", re.MULTILINE)
_IN_CORRECT = re.compile(rf"{_CHOICE}[*_`]*\s+is\s+(?:the\s+)?(?:correct|right|best)\b")


def chosen_letter(text: str) -> str | None:
    """The letter (or digit) of the option that an answer chooses, or None.

    Marks count before position, and of several marks of one kind the last counts: models
    change their mind. "(B) is correct" and a letter at a line's beginning come after them.
    """
    for pattern in (*_MARKED, _IN_CORRECT):
        chosen = [group for match in pattern.finditer(text) for group in match.groups() if group]
        if chosen:
            return str(chosen[-1]).upper()
    bare = _BARE.search(text)
    return bare[1] if bare else None
