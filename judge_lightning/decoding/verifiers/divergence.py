"""Divergence: a token passes where draft and target nearly agree (arXiv 2601.04766)."""

from __future__ import annotations

from torch import Tensor

from judge_lightning.decoding.verifiers.rule import (
    Opinion,
    TokenRule,
    check_share,
    draft_distribution,
    target_distribution,
)
from judge_lightning.decoding.verifiers.verdict import Block
from judge_lightning.errors import UserError

_TINY = 1e-10
"""Keeps the logarithm of what the draft rules out finite."""


class Divergence(TokenRule):
    """Keeps c if the standard rule does, or if KL(p || q) < limit, in nats, and max p <= sure.

    The divergence is of the whole distributions at c's place, not of c alone. Where the target is
    surer of one token than ``sure``, the standard rule decides: the source's confidence mask, at
    0.9; 1 leaves it out.
    """

    contains_standard = True
    reads_draft = True

    def __init__(self, limit: float = 1.0, sure: float = 0.9) -> None:
        if not limit >= 0:
            raise UserError("verifier divergence", f"limit is {limit}", "give 0 or more")
        self.limit = limit
        self.sure = check_share("divergence", "sure", sure)

    def opinion(self, block: Block, standard: Tensor) -> Opinion:
        """Needs both models' distributions."""
        p, q = target_distribution(block), draft_distribution(block, "divergence")
        divergence = (p * (p.clamp(min=_TINY).log() - q.clamp(min=_TINY).log())).sum(1)
        return Opinion(standard | ((divergence < self.limit) & (p.amax(1) <= self.sure)))


RULE = Divergence
