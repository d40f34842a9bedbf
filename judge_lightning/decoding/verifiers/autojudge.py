"""AutoJudge: a mismatch is kept if a head says that it is unimportant (arXiv 2504.20039)."""

from __future__ import annotations

from transformers import PreTrainedModel

from judge_lightning.decoding.verifiers.judge import Judge
from judge_lightning.errors import UserError


class AutoJudge(Judge):
    """Keeps c if c = argmax p, or sigmoid(u.d + w.e + b) > threshold.

    d and e are the draft's and the target's states at c's own position. Only where the standard
    rule says no does the head decide, and on such tokens alone it was trained. The authors'
    (github.com/garipovroma/autojudge, ``run_spec_dec``) head gives the probability of an
    *important* token and keeps what is below their threshold, which is 1 minus this one.

    When sampling, a mismatch is what rejection sampling rejects; the authors decode greedily.
    The draft reads its last proposal too, one pass more a cycle, as in their code.

    Args:
        head: A head of the kind ``autojudge``.
        threshold: Between 0 and 1; None takes the head's own, calibrated one.
    """

    needs_mismatch_head = True

    def check_target(self, target: PreTrainedModel) -> None:
        """Raises UserError for a head of another kind, or one that does not fit the target."""
        if not self.head.mismatches_only:
            problem = f"was given a {self.head.config.kind} head, which is not for mismatches"
            raise UserError("verifier autojudge", problem, "train one with judge=autojudge")
        super().check_target(target)


RULE = AutoJudge
