"""The first step of a worked-out answer that a calculator can see to be wrong.

Steps are looked at in the order of the text. Wrong is

- an equation that does not hold (``16 - 3 = 12``);
- a number that comes from nowhere: neither the question, nor an earlier result, nor the
  reference, nor common knowledge has it;
- where the reference is worked out (GSM8K): an equation that holds, but whose result the
  reference never comes to, on whatever way round, and that leads nowhere where it does;
- a final number that is another than the reference's, after steps that were all fine.
"""

from __future__ import annotations

from collections.abc import Iterator

from judge_lightning.court.annotators import Finding, Mistake
from judge_lightning.court.equations import Equation, equations
from judge_lightning.court.expressions import numbers_of, read_number
from judge_lightning.court.quantities import NUMBER, Worked, key, quantities_of, work_out
from judge_lightning.court.records import Answer, Prompt

_FALSE, _ASTRAY, _NOWHERE, _LAST = 0.95, 0.8, 0.7, 0.75


def annotate(prompt: Prompt, answer: Answer) -> Finding:
    """Marks what is wrong in the first wrong step; undecided where every step may be right."""
    steps = equations(answer.text)
    worked = work_out(prompt.reference)
    mistake = _first_mistake(prompt.text, answer.text, steps, worked)
    if mistake is None and not answer.right:
        mistake = _wrong_end(answer.text, worked)
    if mistake is None and not answer.right:
        return Finding(None, False, note="every step may be right" if steps else "no equation")
    return Finding(mistake)


def _first_mistake(
    question: str, text: str, steps: list[Equation], worked: Worked
) -> Mistake | None:
    at_hand = set(quantities_of(question)) | worked.numbers | worked.values
    leads_on = _leading_on(steps, worked, quantities_of(question))
    for step, fine in _in_order(text, steps, leads_on):
        if isinstance(step, Equation):
            said = text[step.start : step.end]
            if not step.holds:
                evidence = f"{said}, but it is {step.exact}"
                return Mistake(step.result_start, step.end, _FALSE, evidence)
            values = [key(abs(number)) for number in numbers_of(step.tree)]
            for value, (start, end) in zip(values, step.operands, strict=False):
                if value not in at_hand:
                    return _from_nowhere(text, start, end)
            if worked.values and not fine:
                evidence = f"{said}, which the reference never comes to"
                return Mistake(step.start, step.end, _ASTRAY, evidence)
            at_hand |= {key(abs(stated)) for stated in step.stated} | {key(abs(step.tree.value))}
        elif key(read_number(text[step[0] : step[1]])) not in at_hand:
            return _from_nowhere(text, *step)
    return None


def _in_order(
    text: str, steps: list[Equation], leads_on: list[bool]
) -> Iterator[tuple[Equation | tuple[int, int], bool]]:
    """The equations, and the ranges of the numbers between them."""
    place = 0
    for step, fine in zip(steps, leads_on, strict=True):
        for match in NUMBER.finditer(text, place, max(place, step.start)):
            yield match.span(), True
        yield step, fine
        place = max(place, step.end)
    for match in NUMBER.finditer(text, place):
        yield match.span(), True


def _leading_on(steps: list[Equation], worked: Worked, question: frozenset[float]) -> list[bool]:
    """Whether each step comes to what the reference does, or serves a later one that does."""
    fine = [False] * len(steps)
    serving: set[float] = set()
    for place in range(len(steps) - 1, -1, -1):
        step = steps[place]
        results = {key(abs(stated)) for stated in (*step.stated, step.tree.value)}
        fine[place] = bool(results & worked.values or results & serving - question)
        if fine[place]:
            serving |= {key(abs(number)) for number in numbers_of(step.tree)}
    return fine


def _from_nowhere(text: str, start: int, end: int) -> Mistake:
    evidence = f"{text[start:end]} is given nowhere and not worked out"
    return Mistake(start, end, _NOWHERE, evidence)


def _wrong_end(text: str, worked: Worked) -> Mistake | None:
    """The last number, where it is not the reference's."""
    last = None
    for last in NUMBER.finditer(text):
        pass
    if last is None or worked.final is None or key(read_number(last[0])) == worked.final:
        return None
    evidence = f"the steps are fine, but {last[0]} is not what was asked for"
    return Mistake(last.start(), last.end(), _LAST, evidence)
