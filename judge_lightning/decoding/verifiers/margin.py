"""Margin-aware acceptance (MARS, arXiv 2601.15498): the runner-up passes where it is close."""

from __future__ import annotations

from torch import Tensor

from judge_lightning.decoding.verifiers.rule import (
    Opinion,
    TokenRule,
    check_share,
    target_distribution,
)
from judge_lightning.decoding.verifiers.verdict import Block


class Margin(TokenRule):
    """Keeps c if the standard rule does, or if c is the runner-up and p_2 / p_1 > ratio.

    The margin is measured on probabilities, which a shift of all logits leaves alone.
    """

    contains_standard = True

    def __init__(self, ratio: float = 0.5) -> None:
        self.ratio = check_share("margin", "ratio", ratio)

    def opinion(self, block: Block, standard: Tensor) -> Opinion:
        """Needs the two most likely tokens of the target."""
        best = target_distribution(block).topk(2, dim=1)
        close = best.values[:, 1] > self.ratio * best.values[:, 0]
        return Opinion(standard | (close & (block.tokens == best.indices[:, 1])))


RULE = Margin
