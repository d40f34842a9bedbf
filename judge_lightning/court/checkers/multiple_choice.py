"""Right where the answer chooses the reference's option."""

from __future__ import annotations

from judge_lightning.court.checkers import normalised
from judge_lightning.court.choices import chosen_letter
from judge_lightning.court.records import Prompt


def check(prompt: Prompt, text: str) -> bool:
    """Whether both texts choose the same letter.

    Where ``meta["choices"]`` has the options' texts (a mapping of letters to texts), an answer
    may also be one option's text, whole.
    """
    expected, given = _chosen(prompt, prompt.reference), _chosen(prompt, text)
    return expected is not None and given == expected


def _chosen(prompt: Prompt, text: str) -> str | None:
    letter = chosen_letter(text)
    if letter is not None:
        return letter
    said = normalised.normal(text)
    choices: dict[str, str] = prompt.meta.get("choices", {})
    meant = [letter for letter, choice in choices.items() if normalised.normal(choice) == said]
    return meant[0] if len(meant) == 1 else None
