"""Arithmetic expressions as trees: worked out, and taken apart another way round.

A sum or a product knows its value and its parts, each with its sign (or its power, -1 where it
is divided by). Sums in sums and products in products are one, so that ``16 - 3 - 4`` has three
parts in no order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import combinations
from math import prod
from typing import NamedTuple

PLAIN_SIGN = {"−": "-", "–": "-", "×": "*", "x": "*", "X": "*", "÷": "/"}
ROUNDING = 1e-9
"""Relative error of what is worked out in floating point, by us or by another calculator."""
_NO_DIGIT = re.compile(r"[^\d.\-]")
_MANY_PARTS = 6
"""Of an expression with more parts, only some combinations of parts are looked at."""


class Node(NamedTuple):
    """A number, a sum or a product with its value; ``parts`` holds (sign or power, node)."""

    kind: str
    value: float
    parts: tuple[tuple[int, Node], ...] = ()


@lru_cache(maxsize=1 << 14)
def read_number(text: str) -> float:
    """The value of a number as it is written: ``$1,000``, ``20%``."""
    value = float(_NO_DIGIT.sub("", text))
    return value / 100 if text.endswith("%") else value


def is_whole(value: float) -> bool:
    """Whether a value is an integer, but for what floating point adds."""
    return abs(value - round(value)) <= ROUNDING * max(1.0, abs(value))


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


def numbers_of(node: Node) -> list[float]:
    """The numbers that a tree is made of."""
    if not node.parts:
        return [node.value]
    return [number for _, part in node.parts for number in numbers_of(part)]


def with_definitions(node: Node, definition: Callable[[float], Node | None]) -> Node:
    """The tree with every number that has a definition replaced by it."""
    if not node.parts:
        return definition(node.value) or node
    parts = [(sign, with_definitions(part, definition)) for sign, part in node.parts]
    return make_sum(parts) if node.kind == "sum" else make_product(parts)


def ways_round(node: Node) -> Iterator[Node]:
    """What one may work out on the way to a tree's value, the tree itself left out.

    Every combination of a sum's or a product's parts, and a product's factors times one part
    of a sum among them: ``a * (b + c)`` by way of ``a * b``.
    """
    make = make_sum if node.kind == "sum" else make_product
    for _, part in node.parts:
        yield from ways_round(part)
        if part.parts:
            yield part
    for chosen in _choices(node.parts):
        if len(chosen) < len(node.parts):
            yield make(chosen)
    if node.kind == "product":
        for place, (power, part) in enumerate(node.parts):
            if power == 1 and part.kind == "sum":
                others = [*node.parts[:place], *node.parts[place + 1 :]]
                for _, term in part.parts:
                    yield make_product([*others, (1, term)])


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


def _flat(kind: str, parts: Sequence[tuple[int, Node]]) -> tuple[tuple[int, Node], ...]:
    flat: list[tuple[int, Node]] = []
    for sign, part in parts:
        if part.kind == kind:
            flat.extend((sign * inner, node) for inner, node in part.parts)
        else:
            flat.append((sign, part))
    return tuple(flat)


def _add(parts: Iterable[tuple[int, Node]]) -> float:
    return sum((sign * node.value for sign, node in parts), 0.0)


def _multiply(parts: Iterable[tuple[int, Node]]) -> float:
    return prod((n.value if p == 1 else 1 / n.value for p, n in parts), start=1.0)
