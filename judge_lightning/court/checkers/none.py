"""For prompts whose answers nobody can check: nothing is right, and nothing is wrong.

Such prompts are there for what needs no verdict (speed, agreement with the target).
"""

from __future__ import annotations

from collections.abc import Sequence

from judge_lightning.court.chat import Failure
from judge_lightning.court.checkers import Pair, Rule, Tools, Verdict


def build(tools: Tools) -> Rule:
    """Gives the rule, which decides nothing."""

    def rule(pairs: Sequence[Pair]) -> list[Verdict]:
        return [Failure("cannot be checked", "the prompt's checker is none") for _ in pairs]

    return rule
