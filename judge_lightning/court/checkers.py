"""Whether an answer is right: one small rule per way of asking.

A prompt names its checker in ``meta["checker"]``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

from judge_lightning.court.records import Prompt

_NUMBER = r"(?<![\w).])[-−]?[$€£]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)"
_MARKED_NUMBERS = (
    re.compile(rf"####\s*({_NUMBER})"),
    re.compile(rf"\\boxed\{{[^\d\-−.}}]*({_NUMBER})"),
    re.compile(rf"\banswer(?:\s+is)?\s*[:=]?[\s*(\\]*({_NUMBER})", re.IGNORECASE),
    re.compile(rf"^\s*A:\s*({_NUMBER})", re.MULTILINE),
)
_ANY_NUMBER = re.compile(_NUMBER)

# Letters count in capitals only: "the answer is a dog" chooses nothing.
_CHOICE = r"(?:\(([A-J1-5])\)|([A-J1-5])\b)"
_MARKED_CHOICES = (
    re.compile(rf"\\boxed\{{\s*{_CHOICE}"),
    re.compile(rf"(?i:\b(?:answer|option|choice)(?:\s+is)?)\s*[:=]?[\s*]*(?i:option\s+)?{_CHOICE}"),
)
_BARE_CHOICE = re.compile(r"^\s*\(?([A-J1-5])\)?(?:[.:)]|\s*$)", re.MULTILINE)


def check(prompt: Prompt, answer: str) -> bool:
    """Whether the answer's result is the reference's.

    Raises:
        KeyError: The prompt names no checker, or one that does not exist.
    """
    return CHECKERS[prompt.meta["checker"]](prompt, answer)


def final_number(text: str) -> Decimal | None:
    """The number that a worked-out answer ends in, or None.

    An explicit mark wins over position: ``#### 18``, a box, ``the answer is 18``, ``A: 18``;
    without one the last number counts. Of several marks of one kind the last counts.
    """
    for pattern in (*_MARKED_NUMBERS, _ANY_NUMBER):
        found: list[str] = pattern.findall(text)
        if found:
            return _decimal(found[-1])
    return None


def chosen_letter(text: str) -> str | None:
    """The letter (or digit) of the option that an answer chooses, or None."""
    for pattern in _MARKED_CHOICES:
        marked = [group for match in pattern.finditer(text) for group in match.groups() if group]
        if marked:
            return str(marked[-1])
    bare = _BARE_CHOICE.search(text)
    return bare[1] if bare else None


def _decimal(number: str) -> Decimal:
    return Decimal(re.sub(r"[\s$€£,]", "", number).replace("−", "-"))


def _micro(prompt: Prompt, answer: str) -> bool:
    from judge_lightning.micro.world import is_right, problem

    pool = prompt.meta.get("pool", "court")
    return is_right(problem(prompt.family, int(prompt.meta["index"]), pool), answer)


def _final_number(prompt: Prompt, answer: str) -> bool:
    expected = final_number(prompt.reference)
    return expected is not None and final_number(answer) == expected


def _multiple_choice(prompt: Prompt, answer: str) -> bool:
    expected = chosen_letter(prompt.reference)
    return expected is not None and chosen_letter(answer) == expected


def _exact(prompt: Prompt, answer: str) -> bool:
    return answer.split() == prompt.reference.split()


CHECKERS: dict[str, Callable[[Prompt, str], bool]] = {
    "micro": _micro,
    "final_number": _final_number,
    "multiple_choice": _multiple_choice,
    "exact": _exact,
}
