"""Right where the answer is the reference, up to spacing."""

from __future__ import annotations

from judge_lightning.court.records import Prompt


def check(prompt: Prompt, text: str) -> bool:
    """Whether both texts have the same words, signs and case."""
    return text.split() == prompt.reference.split()
