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
from judge_lightning.court.expressions import (
    Node,
    is_whole,
    numbers_of,
    read_number,
    with_definitions,
)
from judge_lightning.court.quantities import NUMBER, key, quantities_of, said_in
from judge_lightning.court.records import Answer, Prompt
from judge_lightning.court.worked import Worked, results_of, work_out

_SMALL = 12
"""Numbers up to here turn up by chance."""
_FALSE, _ASTRAY, _NOWHERE, _LAST = 0.95, 0.8, 0.7, 0.75


def annotate(prompt: Prompt, answer: Answer) -> Finding:
    """Marks what is wrong in the first wrong step; undecided where every step may be right."""
    steps = equations(answer.text)
    worked = work_out(prompt.reference)
    # Where the result is right, a step that leads elsewhere is a detour, not a mistake.
    compared = bool(worked.forms) and not answer.right
    fine = _leading_on(steps, worked, prompt.text) if compared else [True] * len(steps)
    at_hand = quantities_of(prompt.text) | worked.numbers
    mistake = _first_mistake(answer.text, steps, fine, set(at_hand))
    if mistake is None and compared:
        mistake = _wrong_end(answer.text, worked)
    if mistake is None and not answer.right:
        return Finding(None, False, note="every step may be right" if steps else "no equation")
    return Finding(mistake)


def _first_mistake(
    text: str, steps: list[Equation], leads_on: list[bool], at_hand: set[float]
) -> Mistake | None:
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
            if not fine:
                evidence = f"{said}, which the reference never comes to"
                return Mistake(step.start, step.end, _ASTRAY, evidence)
            at_hand |= results_of(step)
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


def _leading_on(steps: list[Equation], worked: Worked, question: str) -> list[bool]:
    """Whether each step agrees with the reference, or serves a later one that does.

    A sum on another way round is fine, too, when it is used at all: where it goes wrong is where
    it is used.
    """
    said = said_in(question)
    defined: dict[float, Node] = {}
    agrees = []
    for step in steps:
        expanded = with_definitions(step.tree, lambda value: defined.get(key(value)))
        agrees.append(worked.agrees(step, expanded, said))
        defined |= dict.fromkeys(results_of(step) - said, expanded)
    serving: set[float] = set()
    used: set[float] = set()
    for place in range(len(steps) - 1, -1, -1):
        step = steps[place]
        results = results_of(step)
        if not agrees[place]:
            serves = {r for r in results & serving - said if r > _SMALL or not is_whole(r)}
            agrees[place] = bool(serves or (results & used and worked.on_the_way(step)))
        operands = {key(abs(number)) for number in numbers_of(step.tree)}
        used |= operands
        if agrees[place]:
            serving |= operands
    return agrees


def _from_nowhere(text: str, start: int, end: int) -> Mistake:
    evidence = f"{text[start:end]} is given nowhere and not worked out"
    return Mistake(start, end, _NOWHERE, evidence)


def _wrong_end(text: str, worked: Worked) -> Mistake | None:
    """The last number, where it is not the reference's."""
    *_, last = (None, *NUMBER.finditer(text))
    if last is None or worked.final is None or key(read_number(last[0])) == worked.final:
        return None
    evidence = f"the steps are fine, but {last[0]} is not what was asked for"
    return Mistake(last.start(), last.end(), _LAST, evidence)
