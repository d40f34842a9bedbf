"""The number that a worked-out answer comes to, in the formats that models write.

docs/checkers.md lists them, with what was decided where a format is ambiguous.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction

from judge_lightning.court.number_marks import marked

_DIGITS = r"(?:\d{1,3}(?:,\d{2,3})*,\d{3}(?!\d)|\d+)"
_DECIMAL = rf"(?:{_DIGITS}(?:\.\d+)?|\.\d+)"
_POWER = r"(?:[eE][-+]?\d+|\s*(?:\*|×)\s*10\s*\^\s*\{?[-+]?\d+\}?)"
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}

NUMBER = re.compile(
    # Not inside a word or another number, and "10-3" is no minus three.
    r"(?<![\w.])"
    r"(?P<minus>(?:(?<![\w).%])-|(?i:\b(?:minus|negative)\s+))?)"
    r"(?:[$€£¥]\s?)?(?P<minus_inside>-)?"
    rf"(?:(?P<whole>\d+)\s+(?=\d+/\d))?(?P<number>{_DECIMAL})(?P<power>{_POWER})?"
    rf"(?:\s?/\s?(?P<below>{_DECIMAL})(?![\d/]))?"
    rf"(?:\s(?P<scale>{'|'.join(_SCALES)})\b)?",
)

_DECIMAL_COMMA = re.compile(r"(?<![\d.,])\d{1,3}(?:\.\d{3})+,\d+(?![\d,])")
_SPACES_IN_NUMBERS = re.compile(r"(?<=\d)[\u00a0\u2009\u202f](?=\d{3}(?!\d))")
_FRACTION_SIGN = re.compile(r"(?<=\d)\s?(?=[¼½¾⅐-⅞])")
_NEXT_QUESTION = re.compile(
    r"\n[ \t]*(?:Q:|(?:Question|Problem|Human|User)[ \t]*\d*[ \t]*:|<\|)", re.IGNORECASE
)
_LONGEST, _LARGEST_EXPONENT = 1000, 1000
"""Longer numbers are a slip of the model, and reading them would take for ever."""
_DASHES = str.maketrans("−–‒﹣－", "-----")


@dataclass(frozen=True)
class FinalNumber:
    """A value, and how exactly it was written.

    ``places`` counts the decimal places of a decimal number, None for a fraction.
    """

    value: Fraction
    places: int | None


def final_number(text: str) -> FinalNumber | None:
    """The number that an answer ends in, or None.

    An explicit mark wins over position: ``#### 18``, a box, ``the answer is 18``, ``A: 18``;
    without one the last number counts. Of several marks of one kind the last counts. What
    follows the beginning of a further question is not read.
    """
    text = _plain(text)
    for passage in marked(text):
        found = _first(passage)
        if found is not None:
            return found
    numbers = list(NUMBER.finditer(text))
    return _read(numbers[-1]) if numbers else None


def same_number(given: FinalNumber, expected: FinalNumber) -> bool:
    """Whether two numbers are equal.

    Where one is a fraction, the other may be its decimal, rounded to two places or more: 0.33
    is 1/3, and 0.3 is not.
    """
    if given.value == expected.value:
        return True
    for rounded, exact in ((given, expected), (expected, given)):
        if exact.places is None and rounded.places is not None and rounded.places >= 2:
            return abs(rounded.value - exact.value) * 10**rounded.places * 2 <= 1
    return False


def _plain(text: str) -> str:
    """One way of writing for what has several: dashes, spaces in numbers, fraction signs."""
    text = text.strip()
    end = _NEXT_QUESTION.search(text)
    text = text[: end.start()] if end else text
    text = _SPACES_IN_NUMBERS.sub(",", _FRACTION_SIGN.sub(" ", text))
    text = "".join(_plain_character(character) for character in text).translate(_DASHES)
    return _DECIMAL_COMMA.sub(lambda m: m[0].replace(".", "").replace(",", "."), text)


def _plain_character(character: str) -> str:
    if character.isascii():
        return character
    if unicodedata.decomposition(character).startswith("<fraction>"):
        return unicodedata.normalize("NFKC", character).replace("\u2044", "/")
    # Digits of other scripts: a number is a number.
    return str(unicodedata.digit(character)) if character.isdecimal() else character


def _first(passage: str) -> FinalNumber | None:
    found = NUMBER.search(passage)
    return None if found is None else _read(found)


def _read(found: re.Match[str]) -> FinalNumber | None:
    digits = found["number"].replace(",", "")
    if len(found[0]) > _LONGEST:
        return None
    value = Fraction(digits)
    places: int | None = len(digits.partition(".")[2])
    if found["power"]:
        exponent = int(re.findall(r"[-+]?\d+", found["power"])[-1])
        if abs(exponent) > _LARGEST_EXPONENT:
            return None
        value, places = value * Fraction(10) ** exponent, 0
    if found["below"]:
        below = Fraction(found["below"].replace(",", ""))
        if below == 0:
            return None
        value, places = value / below, None
    value += int(found["whole"] or 0)
    value *= _SCALES.get((found["scale"] or "").lower(), 1)
    negative = bool(found["minus"].strip()) or bool(found["minus_inside"])
    return FinalNumber(-value if negative else value, places)
