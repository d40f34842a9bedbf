"""Dialects: how likely a speaker is to take each option of a choice.

The target and the drafts are trained on the same right answers, said in different
dialects. Preferences are fixed by a hash of the choice's template, so they depend on the
kind of place and on nothing else.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from functools import lru_cache

from judge_lightning.micro.grammar import Choice, Chooser


@dataclass(frozen=True)
class Dialect:
    """One speaker's preferences.

    ``emphasis`` is the probability of the favourite option; the others share the rest.
    ``agreement`` is the share of choices whose favourite is the target dialect's.
    """

    name: str
    emphasis: float
    agreement: float

    def favourite(self, choice: Choice) -> int:
        return _favourite(choice.key, len(choice.options), self.agreement)

    def chooser(self, rng: random.Random) -> Chooser:
        """Draws every choice independently, so that no text gives its dialect away."""

        def choose(choice: Choice) -> int:
            favourite = self.favourite(choice)
            if rng.random() < self.emphasis:
                return favourite
            other = rng.randrange(len(choice.options) - 1)
            return other + (other >= favourite)

        return choose


@lru_cache(maxsize=4096)
def _favourite(key: str, options: int, agreement: float) -> int:
    shared = _draw(f"favourite:{key}") % options
    if _draw(f"agreement:{key}") % 1000 < agreement * 1000:
        return shared
    return (shared + 1 + _draw(f"own:{key}") % (options - 1)) % options


def _draw(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


DIALECTS = {
    "target": Dialect("target", emphasis=0.52, agreement=1.0),
    "draft": Dialect("draft", emphasis=0.70, agreement=0.45),
}
