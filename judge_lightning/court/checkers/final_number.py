"""Right where the answer comes to the reference's number."""

from __future__ import annotations

from judge_lightning.court.final_numbers import final_number, same_number
from judge_lightning.court.records import Prompt


def check(prompt: Prompt, text: str) -> bool:
    """Whether both texts end in the same number (docs/checkers.md lists the formats)."""
    expected, given = final_number(prompt.reference), final_number(text)
    return expected is not None and given is not None and same_number(given, expected)
