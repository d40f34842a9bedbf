"""Arithmetic expressions as trees: worked out exactly, and taken apart another way round.

A sum or a product knows its value and its parts, each with its sign (or its power, -1 where it
is divided by). Sums in sums and products in products are one, so that ``16 - 3 - 4`` has three
parts in no order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from itertools import combinations
from math import prod
from typing import NamedTuple

PLAIN_SIGN = {"−": "-", "–": "-", "×": "*", "x": "*", "X": "*", "÷": "/"}
_MANY_PARTS = 6
"""Of an expression with more parts, only some combinations of parts are looked at."""


class Node(NamedTuple):
    """A number, a sum or a product with its value; ``parts`` holds (sign or power, node)."""

    kind: str
    value: Fraction
    parts: tuple[tuple[int, Node], ...] = ()


def read_number(text: str) -> Fraction:
    """The value of a number as it is written: ``$1,000``, ``20%``."""
    value = Fraction(re.sub(r"[^\d.\-]", "", text))
    return value / 100 if text.endswith("%") else value


def parse(parts: Iterable[str]) -> Node | None:
    """The tree of numbers, the four signs and parentheses; None when they make none."""
    reader = _Reader([PLAIN_SIGN.get(part, part) for part in parts])
    try:
        node = reader.sum()
    except (ValueError, ZeroDivisionError):
        return None
    return node if reader.at_end else None


class _Reader:
    """A recursive descent over the parts of an expression, usual precedence."""

    def __init__(self, parts: list[str]) -> None:
        self._parts = parts
        self._place = 0

    @property
    def at_end(self) -> bool:
        return self._place == len(self._parts)

    def sum(self) -> Node:
        parts = [(1, self._product())]
        while (sign := self._take("+", "-")) is not None:
            parts.append((1 if sign == "+" else -1, self._product()))
        return make_sum(parts)

    def _product(self) -> Node:
        parts = [(1, self._operand())]
        while (sign := self._take("*", "/")) is not None:
            parts.append((1 if sign == "*" else -1, self._operand()))
        return make_product(parts)

    def _operand(self) -> Node:
        if self._take("-") is not None:
            return make_sum([(-1, self._operand())])
        if self._take("(") is not None:
            node = self.sum()
            if self._take(")") is None:
                raise ValueError("a parenthesis is not closed")
            return node
        if self.at_end:
            raise ValueError("an operand is missing")
        self._place += 1
        return Node("number", read_number(self._parts[self._place - 1]))

    def _take(self, *wanted: str) -> str | None:
        if self.at_end or self._parts[self._place] not in wanted:
            return None
        self._place += 1
        return self._parts[self._place - 1]


def make_sum(parts: Sequence[tuple[int, Node]]) -> Node:
    """A sum, flat; one positive part alone is that part."""
    if len(parts) == 1 and parts[0][0] == 1:
        return parts[0][1]
    return Node("sum", _add(parts), _flat("sum", parts))


def make_product(parts: Sequence[tuple[int, Node]]) -> Node:
    """A product, flat; one part alone is that part. Dividing by 0 raises ZeroDivisionError."""
    if len(parts) == 1 and parts[0][0] == 1:
        return parts[0][1]
    return Node("product", _multiply(parts), _flat("product", parts))


def numbers_of(node: Node) -> list[Fraction]:
    """The numbers that a tree is made of."""
    if not node.parts:
        return [node.value]
    return [number for _, part in node.parts for number in numbers_of(part)]


def with_definitions(node: Node, definition: Callable[[Fraction], Node | None]) -> Node:
    """The tree with every number that has a definition replaced by it."""
    if not node.parts:
        return definition(node.value) or node
    parts = [(sign, with_definitions(part, definition)) for sign, part in node.parts]
    return make_sum(parts) if node.kind == "sum" else make_product(parts)


def partial_values(node: Node) -> set[Fraction]:
    """What one may come to on the way to a tree's value.

    Every combination of a sum's or a product's parts, a factor times some of a sum's parts
    (``a * (b + c)`` by way of ``a * b``), and the sum of what a common factor is multiplied by
    (``a * b + a * c`` by way of ``b + c``).
    """
    values = {node.value}
    for _, part in node.parts:
        values |= partial_values(part)
    if node.kind == "sum":
        for chosen in _choices(node.parts):
            values |= {abs(_add(chosen))} | _cofactors(chosen)
    elif node.kind == "product":
        for chosen in _choices(node.parts):
            values.add(_multiply(chosen))
        for place, (power, part) in enumerate(node.parts):
            if power == 1 and part.kind == "sum":
                others = [*node.parts[:place], *node.parts[place + 1 :]]
                factors = {_multiply(c) for n in range(len(others)) for c in
                           combinations(others, n + 1)}  # fmt: skip
                terms = {abs(_add(c)) for c in _choices(part.parts)} | {
                    p.value for _, p in part.parts
                }
                values |= {factor * term for factor in factors for term in terms}
    return values


def _choices(parts: Sequence[tuple[int, Node]]) -> Iterable[Sequence[tuple[int, Node]]]:
    """Two or more of the parts; of many parts only pairs and runs."""
    if len(parts) <= _MANY_PARTS:
        for size in range(2, len(parts) + 1):
            yield from combinations(parts, size)
    else:
        yield from combinations(parts, 2)
        for start in range(len(parts)):
            for end in range(start + 3, len(parts) + 1):
                yield parts[start:end]


def _cofactors(parts: Sequence[tuple[int, Node]]) -> set[Fraction]:
    """What a number is multiplied by altogether that is a factor of every part of a sum."""
    found: set[Fraction] = set()
    for common in {value for value in _factors(parts[0][1]) if value not in (0, 1)}:
        if all(common in _factors(part) for _, part in parts):
            found.add(abs(sum((sign * part.value for sign, part in parts), Fraction(0)) / common))
    return found


def _factors(node: Node) -> list[Fraction]:
    if node.kind != "product":
        return [node.value]
    return [part.value for power, part in node.parts if power == 1]


def _flat(kind: str, parts: Sequence[tuple[int, Node]]) -> tuple[tuple[int, Node], ...]:
    flat: list[tuple[int, Node]] = []
    for sign, part in parts:
        if part.kind == kind:
            flat.extend((sign * inner, node) for inner, node in part.parts)
        else:
            flat.append((sign, part))
    return tuple(flat)


def _add(parts: Iterable[tuple[int, Node]]) -> Fraction:
    return sum((sign * node.value for sign, node in parts), Fraction(0))


def _multiply(parts: Iterable[tuple[int, Node]]) -> Fraction:
    return prod((n.value if p == 1 else 1 / n.value for p, n in parts), start=Fraction(1))
