"""Mistakes that are corrected at once, as people write them: "which makes 18 — no, 19".

A few percent of the steps in the target's training text hold one. It is what makes a
wrong token visible in the target's embedding: what comes next depends on whether the
token was right.
"""

from __future__ import annotations

import random

from judge_lightning.micro.grammar import Grammar, Position

CORRECTION = " — no,"
"""What a speaker says after a wrong word, before the right one."""

_CORRECTION_WORDS = (" —", " no", ",")
_NUMBER_SHARE = 0.75
_NEAR = (-20, -10, -5, -3, -2, -1, 1, 2, 3, 5, 10, 20)


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
                said += [candidate, *_CORRECTION_WORDS]
        said.append(word)
        position = position.after(word)
    return said, wrong


def _place(rng: random.Random, words: list[str]) -> int:
    numbers = [i for i, word in enumerate(words) if word.strip().isdigit()]
    others = [i for i, word in enumerate(words) if word.strip() and not word.strip().isdigit()]
    return rng.choice(numbers if numbers and rng.random() < _NUMBER_SHARE else others)


def _wrong_word(rng: random.Random, words: list[str], place: int) -> str:
    """A word that may stand in for another without running into its neighbours."""
    word = words[place]
    alike = [other for other in words if _form(other) == _form(word)]
    if not word.strip().isdigit():
        return rng.choice(alike)
    blank = " " if word.startswith(" ") else ""
    kind = rng.random()
    if kind < 0.45:
        return f"{blank}{max(0, int(word) + rng.choice(_NEAR))}"
    if kind < 0.6:
        return f"{blank}{rng.randint(2, 99)}"
    return rng.choice(alike)


def _form(word: str) -> tuple[bool, bool, bool]:
    return word.startswith(" "), word.strip().isdigit(), word.strip().isalnum()
