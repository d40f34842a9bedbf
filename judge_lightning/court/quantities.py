"""The quantities that a question puts at hand.

Numbers are compared by ``key``: equal when they are written with two decimals, or with three
digits when they are small, so that 3.33 stands for ten thirds.
"""

from __future__ import annotations

import re
from functools import lru_cache

from judge_lightning.court.expressions import is_whole, read_number

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
    "nickel": 1 / 20, "dime": 1 / 10, "quarter": 1 / 4,
    "penny": 1 / 100, "pennies": 1 / 100, "pentagon": 5, "hexagon": 6,
    "half": 1 / 2, "third": 1 / 3, "fourth": 1 / 4,
    "fifth": 1 / 5, "sixth": 1 / 6, "seventh": 1 / 7,
    "eighth": 1 / 8, "ninth": 1 / 9, "tenth": 1 / 10,
}  # fmt: skip
_WORD = re.compile(r"[a-z]+")
_CONSTANTS = (
    *range(11), 12, 14, 15, 16, 20, 21, 24, 25, 28, 30, 31, 36, 45, 48, 50, 52, 60, 75, 90, 100,
    120, 180, 360, 365, 366, 1000, 3600, 5280, 1440, 1 / 2, 1 / 4, 0.75,
    1 / 3, 2 / 3, 1 / 10, 1 / 20, 1 / 100,
    1.5,
)  # fmt: skip
"""What people know without being told: small counts, hours, days, degrees, parts of a whole."""


@lru_cache(maxsize=1 << 14)
def key(value: float) -> float:
    """What a value is compared by."""
    if is_whole(value):
        return float(round(value))
    return round(value, 2) if abs(value) >= 1 else float(f"{value:.3g}")


@lru_cache(maxsize=256)
def said_in(question: str) -> frozenset[float]:
    """The keys of what a question says, in digits, fractions or words."""
    said = [read_number(number) for number in NUMBER.findall(question)]
    for word in _WORD.findall(question.lower()):
        said += [float(_WORDS[form]) for form in (word, word[:-1]) if form in _WORDS]
    said += [int(a) / int(b) for a, b in _FRACTION.findall(question) if int(b)]
    return frozenset(map(key, said))


@lru_cache(maxsize=256)
def quantities_of(question: str) -> frozenset[float]:
    """The keys of what it says, of shares and their complements, and of what everybody knows."""
    found = [*map(float, _CONSTANTS)]
    for value in said_in(question):
        found += [value, value / 100, 1 - value / 100, 1 + value / 100, 100 - value, 100 + value]
        if 0 < value < 1:
            found += [1 - value, 1 + value, 1 / value, 100 * value, 100 - 100 * value]
    return frozenset(key(abs(value)) for value in found)
