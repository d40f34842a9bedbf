"""Loose acceptance with an entropy gate and a deferred window (FLy, arXiv 2511.22972)."""

from __future__ import annotations

import torch
from torch import Tensor, special

from judge_lightning.decoding.verifiers.rule import (
    Opinion,
    TokenRule,
    check_share,
    target_distribution,
)
from judge_lightning.decoding.verifiers.verdict import Block
from judge_lightning.errors import UserError


class Loose(TokenRule):
    """Keeps a mismatch where the target is unsure, and agrees with what follows.

    A token that the standard rule rejects is kept if H(p) / log V > entropy and the standard rule
    keeps all of the next ``window`` tokens: had it been a mistake, the target would have turned
    away from what follows. A mismatch with fewer than ``window`` tokens behind it is rejected,
    because there is nothing to tell it by.

    Source: arXiv 2511.22972, window 6 and entropy 0.3. That the entropy is normalised by log V is
    our reading.
    """

    contains_standard = True

    def __init__(self, entropy: float = 0.3, window: int = 6) -> None:
        if window < 0:
            raise UserError("verifier loose", f"window is {window}", "give 0 or more")
        self.entropy = check_share("loose", "entropy", entropy)
        self.window = window

    def opinion(self, block: Block, standard: Tensor) -> Opinion:
        """Looks ahead within the block alone."""
        p = target_distribution(block)
        entropy = special.entr(p).sum(1) / torch.tensor(float(p.shape[1])).log()
        return Opinion(standard | ((entropy > self.entropy) & self._is_followed(standard)))

    def _is_followed(self, standard: Tensor) -> Tensor:
        """(M,) bool: whether the next ``window`` tokens are there and all match."""
        matches = torch.cat((standard, standard.new_zeros(self.window)))
        windows = matches.unfold(0, self.window + 1, 1)[:, 1:]
        return windows.all(1)


RULE = Loose
