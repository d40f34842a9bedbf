"""Block verification (arXiv 2403.10444, algorithm 2): a joint test, lossless like the standard one.

Greedily it is the standard rule. When sampling it never keeps fewer tokens in expectation.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from transformers import PreTrainedModel

from judge_lightning.decoding.request import distribution, draw
from judge_lightning.decoding.verifiers.exact import Exact, standard_verdicts
from judge_lightning.decoding.verifiers.verdict import Block, Verdict


class BlockVerification:
    """Keeps the longest prefix that passes a test of its own.

    With r_i = p(c_i) / q(c_i), the weight of a prefix is w_0 = 1, w_i = min(1, w_{i-1} r_i). The
    prefix of i < M tokens passes with probability s_i / (s_i + 1 - w_i), where
    s_i = sum_x max(0, w_i p_i(x) - q_i(x)) is over the next token; the whole block passes with
    probability w_M. Behind the longest prefix that passes, the next token is drawn from the
    normalised max(0, w_i p_i - q_i), behind the whole block from p_M.
    """

    lossless: ClassVar[bool] = True
    reads_draft = False
    layers = ()
    reads_draft_states = False
    threshold = None

    def check_target(self, target: PreTrainedModel) -> None:
        """Every target will do."""

    def check_draft(self, draft: PreTrainedModel) -> None:
        """Every draft will do."""

    def verdict(self, block: Block, generator: torch.Generator | None = None) -> Verdict:
        """Tests all prefixes at once."""
        if block.temperature == 0 or not len(block.tokens):
            return Exact().verdict(block, generator)
        assert block.draft_probabilities is not None
        proposed, said, _ = standard_verdicts(block, generator)
        p, q = distribution(block.logits, block.temperature), block.draft_probabilities
        weights = prefix_weights(p, q, block.tokens)
        passes, residual = prefix_tests(p, q, weights)
        chance = torch.rand(passes.shape, generator=generator, device=passes.device)
        passed: list[bool] = (chance < passes).tolist()
        accepted = max((i + 1 for i, one in enumerate(passed) if one), default=0)
        row = p[-1] if accepted == len(proposed) else residual[accepted]
        next_token = int(draw(row.unsqueeze(0), generator))
        return Verdict(proposed, accepted, next_token, said)


def prefix_weights(p: Tensor, q: Tensor, tokens: Tensor) -> Tensor:
    """w_0 to w_M (M + 1,) of the prefixes of ``tokens`` (M,); p is (M + 1, V), q (M, V)."""
    chosen = tokens.unsqueeze(1)
    ratios = (p[:-1].gather(1, chosen) / q.gather(1, chosen)).squeeze(1)
    weights = [p.new_ones(())]
    for ratio in ratios:
        weights.append((weights[-1] * ratio).clamp(max=1.0))
    return torch.stack(weights)


def prefix_tests(p: Tensor, q: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """The chance (M,) that the prefix of 1 to M tokens passes, and the residuals (M, V) behind
    the prefixes of 0 to M - 1 tokens."""
    residual = (weights[:-1, None] * p[:-1] - q).clamp(min=0)
    left = residual.sum(1)
    room = left + 1 - weights[:-1]
    # Where p = q and w = 1 nothing is left over: such a prefix always passes on to a longer one.
    inner = torch.where(room > 0, left / room, torch.zeros_like(room))
    return torch.cat((inner[1:], weights[-1:])), torch.where(left[:, None] > 0, residual, p[:-1])


RULE = BlockVerification
