"""Typical acceptance (Medusa, arXiv 2401.10774, section 2.3.2)."""

from __future__ import annotations

from torch import Tensor, special

from judge_lightning.decoding.verifiers.rule import (
    Opinion,
    TokenRule,
    check_share,
    target_distribution,
)
from judge_lightning.decoding.verifiers.verdict import Block


class Typical(TokenRule):
    """Keeps c if p(c) > min(epsilon, alpha * exp(-H(p))), H the entropy in nats.

    Where the target is sure, only the likely pass; where it is not, less will do.
    """

    def __init__(self, epsilon: float = 0.3, alpha: float = 0.09) -> None:
        self.epsilon = check_share("typical", "epsilon", epsilon)
        self.alpha = check_share("typical", "alpha", alpha)

    def opinion(self, block: Block, standard: Tensor) -> Opinion:
        """Needs the target's distribution alone."""
        p = target_distribution(block)
        enough = (self.alpha * (-special.entr(p).sum(1)).exp()).clamp(max=self.epsilon)
        return Opinion(p.gather(1, block.tokens.unsqueeze(1)).squeeze(1) > enough)


RULE = Typical
