"""Equations in running text: ``she makes 9 * 2 = $18``, found and worked out exactly.

Only what a program can be sure of is an equation here. A chain of running results
(``3 + 4 = 7 * 2 = 14``) and an expression with unknown words in it are left out, and a result
that may have been rounded holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

_TOKEN = re.compile(
    # 2S, 0900 and 6:30 are no plain numbers.
    r"(?P<unknown>\d[\d.,]*(?=[A-WYZa-wyz])|(?<![\d.])0\d+|\d+:\d+)"
    r"|(?P<number>(?:[$€£] ?)?(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+) ?%?)"
    r"|(?P<sign>[-+*/−–×÷]|(?<![A-Za-z])[xX](?![A-Za-z]))"
    r"|(?P<word>[A-Za-z][A-Za-z'’-]*)"
    r"|(?P<open>\()|(?P<close>\))"
    r"|(?P<equal>=)"
    r"|(?P<calculator><<|>>)"
    r"|(?P<other>\n|\S)"
)
_PLAIN_SIGN = {"−": "-", "–": "-", "×": "*", "x": "*", "X": "*", "÷": "/"}
_UNIT_WORDS = 2


@dataclass(frozen=True)
class Equation:
    """An equation at characters ``start`` to ``end``, its stated result from ``result_start``."""

    start: int
    result_start: int
    end: int
    exact: str
    holds: bool


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


def equations(text: str) -> Iterator[Equation]:
    """Yields the equations of a text in order."""
    tokens = list(_tokens(text))
    for place, token in enumerate(tokens):
        if token.kind != "equal":
            continue
        expression = _expression_before(tokens, place)
        result = _result_after(tokens, place)
        if not expression or result is None:
            continue
        value = evaluate([token.text for token in expression])
        if value is None:
            continue
        divides = any(token.text in "/÷%" or "%" in token.text for token in expression)
        yield Equation(
            start=expression[0].start,
            result_start=result.start,
            end=result.end,
            exact=str(value) if value.denominator == 1 else f"{float(value):g}",
            holds=_is_stated_as(value, result.text, may_be_rounded=divides),
        )


def evaluate(parts: list[str]) -> Fraction | None:
    """Works out numbers, the four signs and parentheses; None when they make no expression."""
    cursor = _Cursor([_PLAIN_SIGN.get(part, part) for part in parts])
    try:
        value = cursor.sum()
    except (ValueError, ZeroDivisionError):
        return None
    return value if cursor.at_end else None


class _Cursor:
    """A recursive descent over the parts of an expression, usual precedence."""

    def __init__(self, parts: list[str]) -> None:
        self._parts = parts
        self._place = 0

    @property
    def at_end(self) -> bool:
        return self._place == len(self._parts)

    def sum(self) -> Fraction:
        value = self._product()
        while (sign := self._take("+", "-")) is not None:
            other = self._product()
            value = value + other if sign == "+" else value - other
        return value

    def _product(self) -> Fraction:
        value = self._operand()
        while (sign := self._take("*", "/")) is not None:
            other = self._operand()
            value = value * other if sign == "*" else value / other
        return value

    def _operand(self) -> Fraction:
        if self._take("-") is not None:
            return -self._operand()
        if self._take("(") is not None:
            value = self.sum()
            if self._take(")") is None:
                raise ValueError("a parenthesis is not closed")
            return value
        if self.at_end:
            raise ValueError("an operand is missing")
        self._place += 1
        return _number(self._parts[self._place - 1])

    def _take(self, *wanted: str) -> str | None:
        if self.at_end or self._parts[self._place] not in wanted:
            return None
        self._place += 1
        return self._parts[self._place - 1]


def _tokens(text: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text):
        said = match[0].strip(" ")
        start = match.start() + match[0].index(said)
        yield _Token(str(match.lastgroup), said, start, start + len(said))


def _expression_before(tokens: list[_Token], equal: int) -> list[_Token]:
    """The longest arithmetic expression that ends at the equals sign, units left out.

    Empty when there is none, or when it goes on from an earlier equation or an unknown word.
    """
    found: list[_Token] = []
    depth = 0
    wants_operand = True
    place = equal - 1
    while place >= 0:
        if wants_operand:
            place = _skip_unit(tokens, place)
        token = tokens[place]
        if wants_operand and token.kind == "number":
            wants_operand = False
        elif wants_operand and token.kind == "close":
            depth += 1
        elif not wants_operand and token.kind == "open" and depth > 0:
            depth -= 1
        elif not wants_operand and token.kind == "sign":
            wants_operand = True
        else:
            break
        found.append(token)
        place -= 1
    before = tokens[place] if place >= 0 else None
    unclear = before is not None and (
        before.kind in ("equal", "close", "number", "unknown") or before.text in (">>", "and")
    )
    if wants_operand or depth or unclear or not any(token.kind == "sign" for token in found):
        return []
    return found[::-1]


def _skip_unit(tokens: list[_Token], place: int) -> int:
    """Steps over the words of ``12 red apples`` to their number, if there is one."""
    back = place
    while back > 0 and tokens[back].kind == "word" and place - back < _UNIT_WORDS:
        back -= 1
    return back if tokens[back].kind == "number" else place


def _result_after(tokens: list[_Token], equal: int) -> _Token | None:
    """The number right after the equals sign, unless the calculation goes on behind it."""
    place = equal + 1
    lead = tokens[place : place + 2]
    while lead and lead[0].text in ("-", "−", "$", "€", "£"):
        place += 1
        lead = tokens[place : place + 1]
    if not lead or lead[0].kind != "number":
        return None
    behind = place + 1
    while behind < len(tokens) and tokens[behind].kind == "word" and behind - place <= _UNIT_WORDS:
        behind += 1
    if behind < len(tokens) and tokens[behind].kind in ("sign", "open", "equal", "unknown"):
        return None
    negative = any(token.text in ("-", "−") for token in tokens[equal + 1 : place])
    number = tokens[place]
    start = tokens[equal + 1].start
    return _Token("number", ("-" if negative else "") + number.text, start, number.end)


def _number(text: str) -> Fraction:
    value = Fraction(re.sub(r"[^\d.\-]", "", text))
    return value / 100 if text.endswith("%") else value


def _is_stated_as(value: Fraction, stated: str, *, may_be_rounded: bool) -> bool:
    """Whether a number says the value, rounding and a left-out ``/ 100`` of percents allowed."""
    number = _number(stated)
    _, point, decimals = stated.rstrip("% ").partition(".")
    last_place = Fraction(1, 10 ** len(decimals)) / (100 if stated.endswith("%") else 1)
    rounded = bool(point) or (may_be_rounded and value.denominator != 1)
    # Calculators print 14.999999999999998 for 15.
    allowed = max(last_place, abs(value) / 10**9) if rounded else Fraction(0)
    in_percent = stated.endswith("%") or may_be_rounded
    candidates = (value, value * 100, value / 100) if in_percent else (value,)
    return any(abs(candidate - number) <= allowed for candidate in candidates)
