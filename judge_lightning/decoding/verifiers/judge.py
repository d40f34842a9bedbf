"""Judge decoding: a token is kept if the standard rule or the judge keeps it (2501.19309)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from judge_lightning.decoding.verifiers.exact import standard_verdicts
from judge_lightning.decoding.verifiers.verdict import Block, Verdict
from judge_lightning.errors import UserError
from judge_lightning.heads import JudgeHead
from judge_lightning.models.hidden_states import decoder_blocks


class Judge:
    """The paper's rule: argmax or rejection sampling, OR sigmoid(w.e + b) > threshold.

    The head may be of any kind (``judge_lightning/heads/``); the paper's is the linear one.
    Threshold 1 never overrules the standard rule, 0 keeps every block whole.

    It is ``any_of(Standard(), JudgeAlone(head))`` with fewer operations a cycle.

    Args:
        head: The trained head.
        threshold: delta; None takes the head's own, calibrated one.
    """

    lossless = False
    reads_draft = False
    needs_mismatch_head = False

    def __init__(self, head: JudgeHead, threshold: float | None = None) -> None:
        if threshold is not None and not 0.0 <= threshold <= 1.0:
            raise UserError("judge.threshold", f"is {threshold}", "give a probability, 0 to 1")
        self.head = head
        self.threshold = head.config.threshold if threshold is None else threshold
        self.layers = head.layers_read
        self.reads_draft_states = head.reads_draft_embedding

    def check_target(self, target: PreTrainedModel) -> None:
        """Raises UserError when the head reads another width or number of layers."""
        config: Any = target.config
        width = config.get_text_config(decoder=True).hidden_size
        self.head.check_fits(width, len(decoder_blocks(target)))

    def check_draft(self, draft: PreTrainedModel) -> None:
        """Raises UserError when the head reads draft states of another width."""
        config: Any = draft.config
        self.head.check_fits_draft(config.get_text_config(decoder=True).hidden_size)

    def probabilities(self, block: Block) -> Tensor:
        """How likely each token is correct, (M,) float64."""
        assert block.embeddings is not None
        if self.head.device != block.embeddings.device:
            self.head.to(block.embeddings.device)
        # In float32 the sigmoid of a sure "no" is 0, which a threshold of 0 must still pass.
        logits: Tensor = self.head(block.embeddings, block.draft_states)
        return logits.double().sigmoid()

    def verdict(self, block: Block, generator: torch.Generator | None = None) -> Verdict:
        """Keeps the tokens before the first one that both rules reject."""
        probabilities = self.probabilities(block)
        proposed, standard, own = standard_verdicts(block, generator)
        judge: list[float] = probabilities.tolist()
        accepted = 0
        for kept, probability in zip(standard, judge, strict=True):
            if not kept and probability <= self.threshold:
                break
            accepted += 1
        return Verdict(proposed, accepted, own[accepted], standard, judge)


RULE = Judge
