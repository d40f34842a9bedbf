"""Top-k: a token is kept if it is among the target's k most likely (baseline in 2501.19309)."""

from __future__ import annotations

from torch import Tensor

from judge_lightning.decoding.verifiers.rule import Opinion, TokenRule
from judge_lightning.decoding.verifiers.verdict import Block
from judge_lightning.errors import UserError


class TopK(TokenRule):
    """Keeps c if rank_p(c) <= k. Greedy, k = 1 is the standard rule."""

    def __init__(self, k: int) -> None:
        if k < 1:
            raise UserError("verifier top_k", f"k is {k}", "give 1 or more")
        self.k = k

    def opinion(self, block: Block, standard: Tensor) -> Opinion:
        """Ties count for the token: only strictly more likely ones stand before it."""
        logits = block.logits[:-1]
        own = logits.gather(1, block.tokens.unsqueeze(1))
        return Opinion((logits > own).sum(1) < self.k)


RULE = TopK
