"""The judge without the standard rule, as a part of composed rules (arXiv 2501.19309)."""

from __future__ import annotations

from torch import Tensor
from transformers import PreTrainedModel

from judge_lightning.decoding.verifiers.judge import Judge
from judge_lightning.decoding.verifiers.rule import Opinion, TokenRule
from judge_lightning.decoding.verifiers.verdict import Block
from judge_lightning.heads import JudgeHead


class JudgeAlone(TokenRule):
    """Keeps c if sigmoid(w.e + b) > threshold, whatever the standard rule says.

    Args:
        head: The trained head.
        threshold: delta; None takes the head's own, calibrated one.
    """

    def __init__(self, head: JudgeHead, threshold: float | None = None) -> None:
        self._judge = Judge(head, threshold)
        self.threshold: float = self._judge.threshold
        self.layers = self._judge.layers
        self.reads_draft_states = self._judge.reads_draft_states

    def check_target(self, target: PreTrainedModel) -> None:
        """Raises UserError when the head reads another width or number of layers."""
        self._judge.check_target(target)

    def check_draft(self, draft: PreTrainedModel) -> None:
        """Raises UserError when the head reads draft states of another width."""
        self._judge.check_draft(draft)

    def opinion(self, block: Block, standard: Tensor) -> Opinion:
        """The probabilities, and which of them pass.

        A head that knows mismatches alone is not asked about what the standard rule keeps.
        """
        probabilities = self._judge.probabilities(block)
        kept = probabilities > self.threshold
        return Opinion(kept | standard if self._judge.head.mismatches_only else kept, probabilities)


RULE = JudgeAlone
