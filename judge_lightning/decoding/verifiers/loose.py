"""Loose acceptance with an entropy gate and a deferred window (FLy, arXiv 2511.22972)."""

from __future__ import annotations

import torch
from torch import Tensor, special

from judge_lightning.decoding.verifiers.rule import Opinion, TokenRule, target_distribution
from judge_lightning.decoding.verifiers.verdict import Block
from judge_lightning.errors import UserError

_COUNTED = 3
"""How many of the target's most likely tokens the entropy is summed over."""


class Loose(TokenRule):
    """Keeps a mismatch where the target is unsure, and agrees with what follows.

    A token that the standard rule rejects is kept if -sum p log p over the target's three most
    likely tokens, in nats, is at least ``entropy``, and the standard rule keeps all of the next
    ``window`` tokens: had it been a mistake, the target would have turned away from what follows.
    A mismatch with fewer than ``window`` tokens behind it is rejected: nothing is there to tell
    it by.

    The entropy and the defaults are those of the authors' code (github.com/AMD-AGI/FLy). Its
    window W counts the mismatch itself: it asks for W tokens behind and for W - 1 matches, here
    all W have to match.
    """

    contains_standard = True

    def __init__(self, entropy: float = 0.3, window: int = 6) -> None:
        if not entropy >= 0:
            raise UserError("verifier loose", f"entropy is {entropy}", "give 0 nats or more")
        if window < 0:
            raise UserError("verifier loose", f"window is {window}", "give 0 or more")
        self.entropy = entropy
        self.window = window

    def opinion(self, block: Block, standard: Tensor) -> Opinion:
        """Looks ahead within the block alone."""
        p = target_distribution(block)
        likely = p.topk(min(_COUNTED, p.shape[1]), dim=1).values
        unsure = special.entr(likely).sum(1) >= self.entropy
        return Opinion(standard | (unsure & self._is_followed(standard)))

    def _is_followed(self, standard: Tensor) -> Tensor:
        """(M,) bool: whether the next ``window`` tokens are there and all match."""
        matches = torch.cat((standard, standard.new_zeros(self.window)))
        windows = matches.unfold(0, self.window + 1, 1)[:, 1:]
        return windows.all(1)


RULE = Loose
