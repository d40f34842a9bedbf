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

import re
from collections.abc import Iterator
from enum import Enum

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
_BETWEEN = re.compile(
    rf"(?P<unread>=(?![ $€£]*<<)|^[^=\n]*\d[^=\n]*\n)|{NUMBER.pattern}", re.MULTILINE
)
"""A number, and what is not understood: an equals sign, a line with numbers and without one."""
_FALSE, _ASTRAY, _NOWHERE, _LAST = 0.95, 0.8, 0.7, 0.75


class _Verdict(Enum):
    FINE = "fine"
    ASTRAY = "leads elsewhere"
    UNCLEAR = "may be another way round"


def annotate(prompt: Prompt, answer: Answer) -> Finding:
    """Marks what is wrong in the first wrong step.

    Undecided where every step may be right, and where one in front of the first that is
    certainly wrong may already be.
    """
    steps = equations(answer.text)
    worked = work_out(prompt.reference)
    # Where the result is right, a step that leads elsewhere is a detour, not a mistake.
    compared = bool(worked.forms) and not answer.right
    verdicts = [_Verdict.FINE] * len(steps)
    if compared:
        verdicts = _verdicts(steps, worked, said_in(prompt.text))
    at_hand = set(quantities_of(prompt.text) | worked.numbers)
    for part, verdict in _in_order(answer.text, steps, verdicts):
        if verdict is _Verdict.UNCLEAR:
            if compared:
                return Finding(None, False, note="a step is unclear")
            continue
        mistake = _mistake_in(answer.text, part, verdict, at_hand)
        if mistake is not None:
            return Finding(mistake)
        if isinstance(part, Equation):
            at_hand |= results_of(part)
    if answer.right:
        return Finding(None)
    followed = compared and all(worked.has(step) for step in steps)
    end = _wrong_end(answer.text, worked) if followed else None
    if end is not None:
        return Finding(end)
    return Finding(None, False, note="every step may be right" if steps else "no equation")


def _mistake_in(
    text: str, part: Equation | tuple[int, int], verdict: _Verdict, at_hand: set[float]
) -> Mistake | None:
    """What is wrong with an equation, or with a number between equations."""
    if isinstance(part, tuple):
        known = key(read_number(text[part[0] : part[1]])) in at_hand
        return None if known else _from_nowhere(text, *part)
    said = text[part.start : part.end]
    if not part.holds:
        evidence = f"{said}, but it is {part.exact}"
        return Mistake(part.result_start, part.end, _FALSE, evidence)
    for number, place in zip(numbers_of(part.tree), part.operands, strict=False):
        if key(abs(number)) not in at_hand:
            return _from_nowhere(text, *place)
    if verdict is _Verdict.ASTRAY:
        evidence = f"{said}, which the reference never comes to"
        return Mistake(part.start, part.end, _ASTRAY, evidence)
    return None


def _in_order(
    text: str, steps: list[Equation], verdicts: list[_Verdict]
) -> Iterator[tuple[Equation | tuple[int, int], _Verdict]]:
    """The equations, and between them numbers and what has not been read of equations."""
    place = 0
    for step, verdict in zip(steps, verdicts, strict=True):
        if step.start > place:
            yield from _between(text, place, step.start)
        yield step, verdict
        place = max(place, step.end)
    yield from _between(text, place, len(text))


def _between(text: str, start: int, end: int) -> Iterator[tuple[tuple[int, int], _Verdict]]:
    for match in _BETWEEN.finditer(text, start, end):
        yield match.span(), _Verdict.UNCLEAR if match["unread"] else _Verdict.FINE


def _verdicts(steps: list[Equation], worked: Worked, question: frozenset[float]) -> list[_Verdict]:
    """What the reference says about each step: backwards, for a step may serve a later one."""
    defined: dict[float, Node] = {}

    def definition(value: float) -> Node | None:
        return defined.get(key(value))

    agrees = []
    for step in steps:
        expanded = with_definitions(step.tree, definition)
        agrees.append(worked.agrees(step, expanded, question))
        defined.update(dict.fromkeys(results_of(step) - question, expanded))
    verdicts = [_Verdict.FINE] * len(steps)
    serving: set[float] = set()
    used: set[float] = set()
    for place in range(len(steps) - 1, -1, -1):
        step, results = steps[place], results_of(steps[place])
        operands = {key(abs(number)) for number in numbers_of(step.tree)}
        way = worked.on_the_way(step)
        serves = any(way or r > _SMALL or not is_whole(r) for r in results & serving - question)
        if agrees[place] or serves:
            serving |= operands
        elif results & operands or (results & used and way):
            verdicts[place] = _Verdict.UNCLEAR
        else:
            verdicts[place] = _Verdict.ASTRAY
        used |= operands
    return verdicts


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
