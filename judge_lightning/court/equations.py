"""Equations in running text: ``she makes 9 * 2 = $18``, found and worked out exactly.

Only what a program can be sure of is an equation here. A chain of running results
(``3 + 4 = 7 * 2 = 14``) and an expression with unknown words in it are left out, and a result
that may have been rounded holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from judge_lightning.court.expressions import ROUNDING, Node, is_whole, parse, read_number

_WORD = r"(?![xX](?![A-Za-z]))[A-Za-z][A-Za-z'’-]*"
_TOKEN = re.compile(
    r" *(?:"
    # Of many words only the last two can be a unit; the others are one token.
    rf"(?P<text>(?:{_WORD} +)+(?={_WORD} +{_WORD}))"
    rf"|(?P<word>{_WORD})"
    # 2S, 0900 and 6:30 are no plain numbers.
    r"|(?P<unknown>\d[\d.,]*(?=[A-WYZa-wyz])|(?<![\d.])0\d+|\d+:\d+)"
    r"|(?P<number>(?:[$€£] ?)?(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)(?: ?%)?)"
    r"|(?P<sign>[-+*/−–×÷]|(?<![A-Za-z])[xX](?![A-Za-z]))"
    r"|(?P<open>\()|(?P<close>\))"
    r"|(?P<equal>=)"
    r"|(?P<calculator><<|>>)"
    r"|(?P<other>\n|\S)"
    r")"
)
_UNIT_WORDS = 2


@dataclass(frozen=True, slots=True)
class Equation:
    """An equation at characters ``start`` to ``end``, its stated result from ``result_start``.

    Where a calculator's note stands in it (``16 - 3 = $<<16-3=13>>13``), the range begins with
    what is written in front of the note and ends with the number behind it, ``stated`` holds the
    result in the note and the one behind it. ``operands`` are the characters of each number.
    """

    start: int
    result_start: int
    end: int
    tree: Node
    stated: tuple[float, ...]
    operands: tuple[tuple[int, int], ...]
    holds: bool

    @property
    def exact(self) -> str:
        """The result as it should be."""
        value = self.tree.value
        return str(round(value)) if is_whole(value) else f"{value:g}"


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


def equations(text: str) -> list[Equation]:
    """The equations of a text in order."""
    if "=" not in text:
        return []
    tokens = list(_tokens(text))
    found = (
        _equation(tokens, place) for place, token in enumerate(tokens) if token.kind == "equal"
    )
    return [equation for equation in found if equation is not None]


def _equation(tokens: list[_Token], equal: int) -> Equation | None:
    expression = _expression_before(tokens, equal)
    result = _result_after(tokens, equal)
    if not expression or result is None:
        return None
    tree = parse([token.text for token in expression])
    if tree is None:
        return None
    divides = any(token.text in "/÷%" or "%" in token.text for token in expression)
    holds = _is_stated_as(tree.value, result.text, may_be_rounded=divides)
    stated = [read_number(result.text)]
    operands = [(token.start, token.end) for token in expression if token.kind == "number"]
    start, end = expression[0].start, result.end
    first = _place_of(tokens, equal, expression[0])
    if first and tokens[first - 1].text == "<<":
        written = _written(tokens, first - 1, expression)
        start = min([start, *(token.start for token in written)])
        operands = [(token.start, token.end) for token in written] or operands
        behind = _behind_note(tokens, equal)
        if behind is not None:
            end = behind.end
            stated.append(read_number(behind.text))
            holds = holds and _says(tree.value, stated[-1])
    return Equation(start, result.start, end, tree, tuple(stated), tuple(operands), holds)


def _place_of(tokens: list[_Token], equal: int, wanted: _Token) -> int:
    return next(place for place in range(equal - 1, -1, -1) if tokens[place] is wanted)


def _written(tokens: list[_Token], note: int, expression: list[_Token]) -> list[_Token]:
    """The numbers of a note as they are written in front of it, units and all, in order.

    Empty unless each of them is there.
    """
    missing = [read_number(token.text) for token in expression if token.kind == "number"]
    found: list[_Token] = []
    for token in reversed(tokens[:note]):
        if not missing or token.text in ("\n", ">>"):
            break
        if token.kind == "number" and (value := read_number(token.text)) in missing:
            missing.remove(value)
            found.append(token)
    return [] if missing else found[::-1]


def _behind_note(tokens: list[_Token], equal: int) -> _Token | None:
    """The number right behind the note that an equals sign stands in."""
    place = next((n for n in range(equal, len(tokens)) if tokens[n].text == ">>"), len(tokens))
    behind = tokens[place + 1 : place + 2]
    return behind[0] if behind and behind[0].kind == "number" else None


def _says(value: float, number: float) -> bool:
    """Whether a number in words says a value: rounded, in percents or in cents perhaps."""
    near = ROUNDING * abs(value) if is_whole(value) else 1.0
    return any(abs(abs(v) - abs(number)) <= near for v in (value, value * 100, value / 100))


def _tokens(text: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        start, end = match.span(kind)
        yield _Token(kind, text[start:end], start, end)


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
    note = [token for token in tokens[place : place + 6] if token.text not in ("$", "€", "£")]
    if [token.kind for token in note[:4]] == ["calculator", "number", "equal", "number"]:
        return note[1]  # A note that works nothing out: what it says is the result.
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


def _is_stated_as(value: float, stated: str, *, may_be_rounded: bool) -> bool:
    """Whether a number says the value, rounding and a left-out ``/ 100`` of percents allowed."""
    number = read_number(stated)
    _, point, decimals = stated.rstrip("% ").partition(".")
    last_place = 10.0 ** -len(decimals) / (100 if stated.endswith("%") else 1)
    rounded = bool(point) or (may_be_rounded and not is_whole(value))
    # Calculators print 14.999999999999998 for 15.
    allowed = ROUNDING * max(1.0, abs(value))
    if rounded:
        allowed += last_place
    in_percent = stated.endswith("%") or may_be_rounded
    candidates = (value, value * 100, value / 100) if in_percent else (value,)
    return any(abs(candidate - number) <= allowed for candidate in candidates)
