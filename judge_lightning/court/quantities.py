"""The quantities that a question puts at hand, and those that a worked reference comes to.

Numbers are compared by ``key``: equal when they are written with two decimals, or with three
digits when they are small, so that 3.33 stands for ten thirds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from judge_lightning.court.equations import equations
from judge_lightning.court.expressions import (
    Node,
    numbers_of,
    partial_values,
    read_number,
    with_definitions,
)

NUMBER = re.compile(r"(?<![\w.])(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)(?![A-Za-z]*\d)%?")
"""A number in running text, without its sign or currency."""

_FRACTION = re.compile(r"(\d+) ?/ ?(\d+)")
_WORDS = {
    "zero": 0, "no": 0, "none": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6,
    "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13,
    "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19,
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70,
    "eighty": 80, "ninety": 90, "hundred": 100, "thousand": 1000, "million": 10**6,
    "dozen": 12, "score": 20, "pair": 2, "couple": 2, "trio": 3, "quartet": 4,
    "twice": 2, "double": 2, "thrice": 3, "triple": 3, "quadruple": 4,
    "nickel": Fraction(1, 20), "dime": Fraction(1, 10), "quarter": Fraction(1, 4),
    "penny": Fraction(1, 100), "pennies": Fraction(1, 100), "pentagon": 5, "hexagon": 6,
    "half": Fraction(1, 2), "third": Fraction(1, 3), "fourth": Fraction(1, 4),
    "fifth": Fraction(1, 5), "sixth": Fraction(1, 6), "seventh": Fraction(1, 7),
    "eighth": Fraction(1, 8), "ninth": Fraction(1, 9), "tenth": Fraction(1, 10),
}  # fmt: skip
_WORD = re.compile(r"[a-z]+")
_CONSTANTS = (
    *range(11), 12, 14, 15, 16, 20, 21, 24, 25, 28, 30, 31, 36, 45, 48, 50, 52, 60, 75, 90, 100, 120,
    180, 360, 365, 366, 1000, 3600, 5280, 1440, Fraction(1, 2), Fraction(1, 4), Fraction(3, 4),
    Fraction(1, 3), Fraction(2, 3), Fraction(1, 10), Fraction(1, 20), Fraction(1, 100),
    Fraction(3, 2),
)  # fmt: skip
"""What people know without being told: small counts, hours, days, degrees, parts of a whole."""


def key(value: Fraction) -> float:
    """What a value is compared by."""
    if value.denominator == 1:
        return float(value)
    number = float(value)
    return round(number, 2) if abs(number) >= 1 else float(f"{number:.3g}")


@dataclass(frozen=True)
class Worked:
    """What a worked reference comes to.

    ``values`` are the keys of its results and of what one may come to on the way to them;
    ``numbers`` of everything in it, ``final`` of its last number. No ``values``: it is not
    worked out.
    """

    values: frozenset[float]
    numbers: frozenset[float]
    final: float | None


@lru_cache(maxsize=64)
def quantities_of(question: str) -> frozenset[float]:
    """The keys of what a question says in digits or words, of shares and their complements,
    and of what everybody knows."""
    said = [read_number(number) for number in NUMBER.findall(question)]
    said += [Fraction(_WORDS[w]) for w in _WORD.findall(question.lower()) if w in _WORDS]
    said += [Fraction(_WORDS[w[:-1]]) for w in _WORD.findall(question.lower()) if w[:-1] in _WORDS]
    fractions = [(Fraction(a), Fraction(b)) for a, b in _FRACTION.findall(question) if int(b)]
    said += [a / b for a, b in fractions]
    found = [Fraction(constant) for constant in _CONSTANTS]
    for value in said:
        found += [value, value / 100, 1 - value / 100, 1 + value / 100, 100 - value, 100 + value]
        if 0 < value < 1:
            found += [1 - value, 1 + value, 1 / value, 100 * value, 100 - 100 * value]
    return frozenset(key(abs(value)) for value in found)


@lru_cache(maxsize=64)
def work_out(reference: str) -> Worked:
    """Reads a worked reference."""
    defined: dict[float, Node] = {}
    values: set[Fraction] = set()
    for equation in equations(reference):
        expanded = with_definitions(equation.tree, lambda value: defined.get(key(value)))
        values |= partial_values(equation.tree) | partial_values(expanded)
        values |= {*equation.stated, *_unit_changes(equation.tree)}
        for stated in equation.stated:
            defined[key(stated)] = expanded
    numbers = [read_number(number) for number in NUMBER.findall(reference)]
    final = key(numbers[-1]) if numbers else None
    if values and numbers:
        values.add(numbers[-1])
    return Worked(
        frozenset(key(abs(value)) for value in values),
        frozenset(key(value) for value in numbers),
        final,
    )


def _unit_changes(tree: Node) -> set[Fraction]:
    """The result in percents and cents, where shares of a hundred are in it."""
    if any(0 < abs(number) < 1 or abs(number) == 100 for number in numbers_of(tree)):
        return {tree.value * 100, tree.value / 100}
    return set()
