"""Mistakes that are corrected at once, as people write them: "which makes 18 — no, 19".

The target's training text holds some, in answers and in drills. It is what makes a wrong
token visible in the target's embedding: what comes next depends on whether the token was
right. Most of them are near misses, since those are what a weak draft writes.
"""

from __future__ import annotations

import random

from judge_lightning.micro.grammar import Grammar, Position, split_words

CORRECTION = " — no,"
"""What a speaker says after a wrong word, before the right one."""

_RESULT_SHARE = 0.5
_NUMBER_SHARE = 0.3
_NEAR = tuple(sign * n for n in (1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 4, 5, 6, 10) for sign in (1, -1))
"""By how much a miscalculated result is off: mostly by little, as a weak model's are."""


def with_mistakes(
    rng: random.Random, answers: Grammar, words: list[str], count: int = 1
) -> tuple[list[str], set[int]]:
    """Puts wrong words before right ones, each corrected at once.

    Args:
        rng: Source of randomness.
        answers: The grammar of right answers, which judges what is wrong.
        words: A right answer.
        count: How many mistakes are tried; a try that gives a right word makes none.

    Returns:
        The words with the mistakes and their corrections, and the positions of wrong words.
    """
    tried = {_place(rng, words) for _ in range(count)}
    said: list[str] = []
    wrong: set[int] = set()
    position = Position.start(answers)
    for place, word in enumerate(words):
        if place in tried:
            candidate = _wrong_word(rng, words, place)
            if not position.allows(candidate):
                wrong.add(len(said))
                said += corrected(candidate)
        said.append(word)
        position = position.after(word)
    return said, wrong


def corrected(wrong: str) -> list[str]:
    """A wrong word with what its speaker says next, up to the right word."""
    return [wrong, *split_words(CORRECTION)]


def near_miss(rng: random.Random, number: str) -> str:
    """A number close to a right one, with the same blank before it."""
    blank = " " if number.startswith(" ") else ""
    candidates = [int(number) + off for off in _NEAR if int(number) + off >= 0]
    return f"{blank}{rng.choice(candidates)}"


def _place(rng: random.Random, words: list[str]) -> int:
    """Half of the mistakes are results of calculations, most others are other numbers."""
    numbers = [i for i, word in enumerate(words) if word.strip().isdigit()]
    results = [i for i in numbers if i and words[i - 1].strip() == "="]
    others = [i for i, word in enumerate(words) if word.strip() and not word.strip().isdigit()]
    kind = rng.random()
    if results and kind < _RESULT_SHARE:
        return rng.choice(results)
    if numbers and kind < _RESULT_SHARE + _NUMBER_SHARE:
        return rng.choice(numbers)
    return rng.choice(others)


def _wrong_word(rng: random.Random, words: list[str], place: int) -> str:
    """A word that may stand in for another without running into its neighbours."""
    word = words[place]
    alike = [other for other in words if _form(other) == _form(word)]
    if not word.strip().isdigit():
        return rng.choice(alike)
    kind = rng.random()
    if kind < 0.7:
        return near_miss(rng, word)
    if kind < 0.8:
        return f"{' ' if word.startswith(' ') else ''}{rng.randint(2, 99)}"
    return rng.choice(alike)


def _form(word: str) -> tuple[bool, bool, bool]:
    return word.startswith(" "), word.strip().isdigit(), word.strip().isalnum()
