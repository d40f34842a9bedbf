"""Static ensemble: the standard rule against a mixture of both models (transformers PR 45979)."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import torch
from transformers import PreTrainedModel

from judge_lightning.decoding.request import distribution
from judge_lightning.decoding.verifiers.exact import Exact
from judge_lightning.decoding.verifiers.rule import (
    check_share,
    draft_distribution,
    target_distribution,
)
from judge_lightning.decoding.verifiers.verdict import Block, Verdict


class Ensemble:
    """Verifies against v = weight * p + (1 - weight) * q, and writes v's own token.

    It is exactly speculative decoding of v: weight 1 is the standard rule, weight 0 keeps all.
    The token behind a block that is kept whole is the target's own.
    """

    lossless: ClassVar[bool] = False
    reads_draft = True
    layers = ()
    reads_draft_states = False
    threshold = None

    def __init__(self, weight: float = 0.5) -> None:
        self.weight = check_share("ensemble", "weight", weight)

    def check_target(self, target: PreTrainedModel) -> None:
        """Every target will do."""

    def check_draft(self, draft: PreTrainedModel) -> None:
        """Every draft will do."""

    def verdict(self, block: Block, generator: torch.Generator | None = None) -> Verdict:
        """The standard rule's verdict on the mixture; ``standard`` is still the target's."""
        if not len(block.tokens):
            return Exact().verdict(block, generator)
        temperature = block.temperature or 1.0
        p, q = target_distribution(block), draft_distribution(block, "ensemble")
        last = distribution(block.logits[-1:], temperature)
        mixture = torch.cat((self.weight * p + (1 - self.weight) * q, last))
        # As logits at the block's temperature, so that the standard rule sees the mixture.
        mixed = replace(block, logits=mixture.log() * temperature)
        verdict = Exact().verdict(mixed, generator)
        verdict.kept = verdict.standard
        if block.temperature == 0:
            verdict.standard = (block.logits[:-1].argmax(-1) == block.tokens).tolist()
        return verdict


RULE = Ensemble
