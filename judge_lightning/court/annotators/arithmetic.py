"""The first false equation of a worked-out answer, such as ``16 - 3 = 12`` or ``$2*9=$19``.

A mistake of another kind (a wrong approach, worked out correctly) is not found.
"""

from __future__ import annotations

from judge_lightning.court.annotators import Mistake
from judge_lightning.court.equations import equations
from judge_lightning.court.records import Answer, Prompt


def annotate(prompt: Prompt, answer: Answer) -> Mistake | None:
    """Marks the stated result of the first equation that does not hold."""
    for equation in equations(answer.text):
        if not equation.holds:
            said = answer.text[equation.start : equation.end]
            evidence = f"{said}, but it is {equation.exact}"
            return Mistake(equation.result_start, equation.end, 1.0, evidence)
    return None
