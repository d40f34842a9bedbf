"""The first result that neither its own equation nor a worked-out reference supports.

For prompts whose reference is a worked solution (GSM8K). An equation that does not hold is a
mistake for certain. One that holds but whose result the reference never comes to is taken for
a wrong approach; a right answer may take another way round, hence the lower confidence.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from judge_lightning.court.annotators import Mistake
from judge_lightning.court.equations import equations
from judge_lightning.court.records import Answer, Prompt

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?|\.\d+")
_ANOTHER_WAY_ROUND = 0.7


def annotate(prompt: Prompt, answer: Answer) -> Mistake | None:
    """Marks the stated result of the first equation that is false or leads elsewhere."""
    known = _numbers(f"{prompt.text} {prompt.reference}")
    for equation in equations(answer.text):
        said = answer.text[equation.start : equation.end]
        if not equation.holds:
            evidence = f"{said}, but it is {equation.exact}"
            return Mistake(equation.result_start, equation.end, 1.0, evidence)
        result = _numbers(answer.text[equation.result_start : equation.end])
        if not result & known:
            evidence = f"{said}, which the reference never comes to"
            return Mistake(equation.result_start, equation.end, _ANOTHER_WAY_ROUND, evidence)
    return None


def _numbers(text: str) -> set[Decimal]:
    found: set[Decimal] = set()
    for number in _NUMBER.findall(text):
        try:
            found.add(Decimal(number.replace(",", "")).normalize())
        except InvalidOperation:
            continue
    return found
