"""Margin-aware acceptance (MARS, arXiv 2601.15498): the runner-up passes where it is close."""

from __future__ import annotations

from torch import Tensor

from judge_lightning.decoding.verifiers.rule import Opinion, TokenRule, check_share
from judge_lightning.decoding.verifiers.verdict import Block


class Margin(TokenRule):
    """Keeps c if the standard rule does, or c is among the two best and z_2 / z_1 > ratio.

    z are the target's logits, largest first, as in the authors' code (github.com/5SSjw/MARS,
    ``evaluate_posterior``; its default is 0.87). A temperature leaves their ratio alone, a shift
    of all logits does not: which ratio is close is a matter of the model. Where z_1 is not
    positive it says nothing, and the standard rule decides.
    """

    contains_standard = True

    def __init__(self, ratio: float = 0.87) -> None:
        self.ratio = check_share("margin", "ratio", ratio)

    def opinion(self, block: Block, standard: Tensor) -> Opinion:
        """Needs the two largest logits of the target."""
        best = block.logits[:-1].float().topk(2, dim=1)
        first, second = best.values.unbind(1)
        close = (first > 0) & (second > self.ratio * first)
        among = (best.indices == block.tokens.unsqueeze(1)).any(1)
        return Opinion(standard | (close & among))


RULE = Margin
