"""Multiple choice: few-token answers, where judge decoding should change nothing.

The value comes before its letter, so that a small model can work it out in one place and
look it up in another.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from judge_lightning.micro.grammar import Grammar, fill, parse

LETTERS = "ABCD"

_ANSWER = (
    "[The answer is|It is|My choice is|The right option is] {value},"
    " [so it is|which is|that is|hence] {letter}."
)


def multiple_choice(rng: random.Random) -> tuple[str, str, Grammar]:
    """Draws a question: its text, the right letter, and the ways of saying it."""
    question, options, right = rng.choice((_extreme, _calculation))(rng)
    letter = LETTERS[options.index(right)]
    listed = " ".join(f"{name}) {value}" for name, value in zip(LETTERS, options, strict=True))
    return f"{question} {listed}", letter, fill(parse(_ANSWER), {"value": right, "letter": letter})


def chosen_letter(answer: str) -> str | None:
    """The letter that an answer settles on, or None."""
    found = re.findall(r"\b([A-D])\b", answer)
    return found[-1] if found else None


def _extreme(rng: random.Random) -> tuple[str, list[int], int]:
    options = rng.sample(range(2, 100), 4)
    kind: tuple[str, Callable[[list[int]], int]] = rng.choice((("largest", max), ("smallest", min)))
    word, pick = kind
    return f"Which number is the {word}?", options, pick(options)


def _calculation(rng: random.Random) -> tuple[str, list[int], int]:
    amount = rng.randint(2, 15)
    before = rng.randint(amount + 2, 79)
    sign = rng.choice("+-")
    right = before + amount if sign == "+" else before - amount
    near = sorted({*range(right - 12, right + 13)} & {*range(2, 100)} - {right})
    options = [right, *rng.sample(near, 3)]
    rng.shuffle(options)
    return f"What is {before} {sign} {amount}?", options, right
