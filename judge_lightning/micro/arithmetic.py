"""Chains of small calculations: what a word problem and a program are both about."""

from __future__ import annotations

import random
from dataclasses import dataclass

LARGEST = 99
"""Every value of a chain lies in 2..LARGEST, so that a number is one token."""

_SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}


@dataclass(frozen=True)
class Step:
    """``before`` becomes ``after``; ``kind`` says how.

    Kinds: ``add`` and ``subtract`` use ``amount``; ``multiply`` and ``divide`` use
    ``amount`` as factor; ``pack`` adds ``groups`` groups of ``amount`` each.
    """

    kind: str
    amount: int
    before: int
    after: int
    groups: int = 0


def chain(rng: random.Random, length: int, *, packs: bool) -> list[Step]:
    """Draws ``length`` steps whose values stay in 2..LARGEST.

    Args:
        rng: Source of randomness.
        length: Number of steps.
        packs: Whether ``pack`` steps (two calculations) may occur.
    """
    kinds = ["add", "add", "subtract", "subtract", "multiply", "divide"]
    if packs:
        kinds.append("pack")
    value = rng.randint(5, 40)
    steps: list[Step] = []
    while len(steps) < length:
        step = _draw_step(rng, rng.choice(kinds), value)
        if step is not None and not (steps and steps[-1].kind == step.kind == "multiply"):
            steps.append(step)
            value = step.after
    return steps


def equations(step: Step) -> list[str]:
    """The calculations of a step as an exercise book has them."""
    if step.kind == "pack":
        packed = step.groups * step.amount
        return [
            f"{step.groups} * {step.amount} = {packed}",
            f"{step.before} + {packed} = {step.after}",
        ]
    return [f"{step.before} {_SIGNS[step.kind]} {step.amount} = {step.after}"]


def _draw_step(rng: random.Random, kind: str, before: int) -> Step | None:
    """One step of that kind, or None where the value would leave its range."""
    groups = 0
    if kind in ("add", "subtract"):
        amount = rng.randint(2, 15)
        after = before + amount if kind == "add" else before - amount
    elif kind == "pack":
        groups, amount = rng.randint(2, 5), rng.randint(2, 5)
        after = before + groups * amount
    else:
        amount = rng.choice((2, 3))
        if kind == "divide" and before % amount:
            return None
        after = before * amount if kind == "multiply" else before // amount
    return Step(kind, amount, before, after, groups) if 2 <= after <= LARGEST else None
