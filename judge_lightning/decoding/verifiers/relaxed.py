"""Relaxed acceptance: among the top n, and not much less likely than the best.

TensorRT-LLM's relaxed acceptance (its speculative decoding guide), which several requests to
vLLM asked for (issues 21506, 22238). TensorRT-LLM compares p(c) with max p minus a delta; here
it is a ratio, which is free of the scale of max p.
"""

from __future__ import annotations

from torch import Tensor

from judge_lightning.decoding.verifiers.rule import (
    Opinion,
    TokenRule,
    check_share,
    target_distribution,
)
from judge_lightning.decoding.verifiers.verdict import Block
from judge_lightning.errors import UserError


class Relaxed(TokenRule):
    """Keeps c if c is among the n most likely and p(c) >= ratio * max p."""

    contains_standard = False

    def __init__(self, n: int = 10, ratio: float = 0.3) -> None:
        if n < 1:
            raise UserError("verifier relaxed", f"n is {n}", "give 1 or more")
        self.n = n
        self.ratio = check_share("relaxed", "ratio", ratio)

    def opinion(self, block: Block, standard: Tensor) -> Opinion:
        """Needs the target's distribution alone."""
        p = target_distribution(block)
        own = p.gather(1, block.tokens.unsqueeze(1))
        among = (p > own).sum(1) < self.n
        return Opinion(among & (own.squeeze(1) >= self.ratio * p.amax(1)))


RULE = Relaxed
