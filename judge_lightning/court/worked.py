"""What a worked reference comes to, and whether a step of another solution agrees with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from judge_lightning.court.equations import Equation, equations
from judge_lightning.court.expressions import (
    Node,
    numbers_of,
    read_number,
    ways_round,
    with_definitions,
)
from judge_lightning.court.quantities import NUMBER, key

Form = tuple[str, tuple[float, ...]]
"""A calculation in no order: sum or product, and its parts with their signs or powers."""

_FACTORS = frozenset(float(n) for n in (2, 4, 7, 10, 12, 24, 30, 52, 60, 100, 1000)) | {
    0.5, 0.25, 0.1, 0.01,
}  # fmt: skip
"""Factors that may be written otherwise, or left out, without changing what is worked out."""


@dataclass(frozen=True)
class Worked:
    """A worked reference; without ``forms`` it is not worked out.

    ``steps`` are its calculations, ``forms`` the same and with results replaced by how they were
    come by;
    ``operands`` what each calculation uses; ``ways`` are calculations on another way round.
    ``sources`` says for every result what went into it; None: not told.
    """

    steps: frozenset[Form]
    forms: frozenset[Form]
    operands: frozenset[tuple[float, ...]]
    ways: frozenset[Form]
    sources: Mapping[float, frozenset[float] | None]
    numbers: frozenset[float]
    final: float | None

    def agrees(self, step: Equation, expanded: Node, question: frozenset[float]) -> bool:
        """Whether a step is one of the reference's, or comes to a result from what it used.

        Args:
            step: The step.
            expanded: Its tree with earlier results replaced by how they were come by.
            question: What the question says, which is no result.
        """
        results = results_of(step)
        if self.final in results and self.final not in question:
            return True
        trees = (step.tree, expanded)
        if any(form_of(tree) in self.forms for tree in trees):
            return True
        if operands_of(step.tree) in self.operands:
            return False  # The same quantities, but something else is done with them.
        free = _FACTORS if step.tree.kind == "product" else frozenset()
        for result in results & self.sources.keys():
            sources = self.sources[result]
            if sources is None:
                if result not in question:
                    return True
                continue
            for tree in trees:
                used = set(operands_of(tree))
                if used <= sources | free and used & sources:
                    return True
        return False

    def has(self, step: Equation) -> bool:
        """Whether the reference takes this very step."""
        return form_of(step.tree) in self.steps

    def on_the_way(self, step: Equation) -> bool:
        """Whether a step may serve to come to a sum on another way round."""
        return form_of(step.tree) in self.ways


def form_of(node: Node) -> Form:
    """The calculation at the top of a tree; dividing by 2 is multiplying by a half."""
    if node.kind == "sum":
        sign = -1 if node.value < 0 else 1
        parts = sorted(sign * power * key(part.value) for power, part in node.parts)
    else:
        parts = sorted(key(part.value**power) for power, part in node.parts if part.value)
        parts = [part for part in parts if part != 1]
    return node.kind, tuple(parts)


def operands_of(node: Node) -> tuple[float, ...]:
    """The numbers in a tree, whatever is done with them."""
    numbers = (key(abs(number)) for number in numbers_of(node))
    return tuple(sorted(n for n in numbers if n != 1 or node.kind == "sum"))


def results_of(step: Equation) -> set[float]:
    """What a step comes to: as it should be and as it is stated."""
    return {key(abs(stated)) for stated in (*step.stated, step.tree.value)}


@lru_cache(maxsize=256)
def work_out(reference: str) -> Worked:
    """Reads a worked reference."""
    steps = equations(reference)
    defined: dict[float, Node] = {}
    sources: dict[float, frozenset[float] | None] = {}
    forms: set[Form] = set()
    ways: set[Form] = set()
    for step in steps:
        expanded = with_definitions(step.tree, lambda value: defined.get(key(value)))
        for tree in (step.tree, expanded):
            forms.add(form_of(tree))
            ways |= {form_of(way) for way in ways_round(tree) if way.kind == "sum"}
        used = {key(abs(number)) for number in numbers_of(step.tree)}
        for number in tuple(used):
            used |= sources.get(number) or frozenset()
        used |= {key(value) for n in used for value in (n * 100, n / 100)}
        for result in results_of(step):
            sources.setdefault(result, frozenset(used))
            defined[result] = expanded
    said = [key(read_number(number)) for number in NUMBER.findall(reference)]
    operands = {number for step in steps for number in operands_of(step.tree)}
    for number in said:
        if number not in operands:
            sources.setdefault(number, None)
    return Worked(
        frozenset(form_of(step.tree) for step in steps),
        frozenset(forms),
        frozenset(operands_of(step.tree) for step in steps),
        frozenset(ways),
        sources,
        frozenset(said),
        said[-1] if said else None,
    )
