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
_NUMBER_SHARE = 0.85
_NEAR = (-20, -10, -5, -3, -2, -1, 1, 2, 3, 5, 10, 20)


def with_mistake(
    rng: random.Random, answers: Grammar, words: list[str]
) -> tuple[list[str], set[int]]:
    """Replaces one word by a wrong one, says so, and goes on rightly.

    Args:
        rng: Source of randomness.
        answers: The grammar of right answers, which judges what is wrong.
        words: A right answer.

    Returns:
        The words with the mistake and its correction, and the positions of wrong words.
    """
    numbers = [i for i, word in enumerate(words) if word.strip().isdigit()]
    others = [i for i, word in enumerate(words) if word.strip() and i not in set(numbers)]
    for _ in range(20):
        pool = numbers if numbers and rng.random() < _NUMBER_SHARE else others
        if not pool:
            continue
        place = rng.choice(pool)
        wrong = _wrong_word(rng, words, place)
        position = Position.start(answers)
        for word in words[:place]:
            position = position.after(word)
        if not position.allows(wrong):
            said = [*words[:place], wrong, *_CORRECTION_WORDS, *words[place:]]
            return said, {place}
    return words, set()


def _wrong_word(rng: random.Random, words: list[str], place: int) -> str:
    """A word that may stand in for another without running into its neighbours."""
    word = words[place]
    alike = [other for other in words if _form(other) == _form(word)]
    if not word.strip().isdigit():
        return rng.choice(alike)
    blank = " " if word.startswith(" ") else ""
    kind = rng.random()
    if kind < 0.6:
        return f"{blank}{max(0, int(word) + rng.choice(_NEAR))}"
    if kind < 0.85:
        return f"{blank}{rng.randint(2, 99)}"
    return rng.choice(alike)


def _form(word: str) -> tuple[bool, bool, bool]:
    return word.startswith(" "), word.strip().isdigit(), word.strip().isalnum()
