"""The micro world: problems that a program can set, answer in every way, and check.

Each problem is a pure function of ``(family, pool, index)``. The ``pretrain`` pool is what
the embedded models are trained on, the ``court`` pool is never seen by them: a hash of the
question's text decides which pool it may belong to, so the two cannot share a question.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from judge_lightning.errors import UserError
from judge_lightning.micro import grammar as _grammar
from judge_lightning.micro.code_programs import code_program, printed_value
from judge_lightning.micro.grammar import Grammar
from judge_lightning.micro.multiple_choice import chosen_letter, multiple_choice
from judge_lightning.micro.word_problems import final_number, word_problem


@dataclass(frozen=True)
class Family:
    """How one kind of problem is drawn and how the result is read off an answer."""

    draw: Callable[[random.Random], tuple[str, str, Grammar]]
    result: Callable[[str], str | None]


_FAMILIES = {
    "word": Family(word_problem, final_number),
    "code": Family(code_program, printed_value),
    "choice": Family(multiple_choice, chosen_letter),
}
FAMILIES = tuple(_FAMILIES)
POOLS = ("pretrain", "court")
_COURT_SHARE = 5


@dataclass(frozen=True)
class Problem:
    """A question, its reference result, and (drawn again on demand) its right answers."""

    family: str
    index: int
    pool: str
    text: str
    reference: str

    @cached_property
    def answers(self) -> Grammar:
        """The grammar of all right answers."""
        return _draw(self.family, self.index, self.pool)[2]


def problem(family: str, index: int, pool: str = "court") -> Problem:
    """The problem with that index; the same on every machine.

    Raises:
        UserError: There is no such family or pool.
    """
    if family not in _FAMILIES:
        raise UserError("family", f"unknown micro family {family!r}", f"one of {list(FAMILIES)}")
    if pool not in POOLS:
        raise UserError("pool", f"unknown micro pool {pool!r}", f"one of {list(POOLS)}")
    text, reference, _ = _draw(family, index, pool)
    return Problem(family, index, pool, text, reference)


def is_right(problem: Problem, answer: str) -> bool:
    """Whether the answer comes to the reference result, however it is worked out."""
    return _FAMILIES[problem.family].result(answer) == problem.reference


def first_mistake(problem: Problem, answer: str) -> tuple[int, int] | None:
    """The oracle: characters of the first word that no right answer has in its place.

    Returns:
        A half-open character range, ``(len(answer), len(answer))`` when the answer stops
        too early, or None when every word is right.
    """
    return _grammar.first_mistake(problem.answers, answer)


@lru_cache(maxsize=1024)
def _draw(family: str, index: int, pool: str) -> tuple[str, str, Grammar]:
    for attempt in range(1000):
        rng = random.Random(f"micro:{family}:{pool}:{index}:{attempt}")
        drawn = _FAMILIES[family].draw(rng)
        if _pool_of(drawn[0]) == pool:
            return drawn
    raise AssertionError(f"no {pool} problem of family {family} at index {index}")


def _pool_of(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "court" if digest[0] % _COURT_SHARE == 0 else "pretrain"
