"""The standard rule, which keeps the target's own output (arXiv 2211.17192, 2302.01318)."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import PreTrainedModel

from judge_lightning.decoding.request import distribution, draw, nan_logits
from judge_lightning.decoding.verifiers.verdict import Block, Verdict

NO_TOKEN = -1
"""Stands where the target's logits are NaN: seen without waiting for the device once more."""


class Exact:
    """Greedy: a token is kept if it is the target's argmax. Sampling: rejection sampling."""

    layer = None
    threshold = None

    def check_target(self, target: PreTrainedModel) -> None:
        """Every target will do."""

    def verdict(self, block: Block, generator: torch.Generator | None = None) -> Verdict:
        """Keeps the tokens before the first one that the standard rule rejects."""
        proposed, standard, own = read_out(block, *standard_verdicts(block, generator))
        accepted = standard.index(False) if False in standard else len(proposed)
        return Verdict(proposed, accepted, own[accepted], standard)


def standard_verdicts(block: Block, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
    """What the standard rule says to each token, and what the target would write instead.

    Returns:
        kept: (M,) bool.
        own: (M + 1,) long, the target's token for each position if the block ended there. When
            sampling, row i < M is drawn from the residual max(0, p - q), which together with
            the rejections gives exactly p (arXiv 2211.17192, appendix A.1).
    """
    if block.temperature == 0:
        own = block.logits.argmax(-1)
        own = own.masked_fill(block.logits.amax(-1).isnan(), NO_TOKEN)
        return block.tokens == own[:-1], own
    assert block.draft_probabilities is not None
    p = distribution(block.logits, block.temperature)
    if bool(p.isnan().any()):
        raise nan_logits("pair.target")
    q = block.draft_probabilities
    chosen = block.tokens.unsqueeze(1)
    chance = torch.rand(chosen.shape, generator=generator, device=p.device)
    kept = (chance * q.gather(1, chosen) < p[:-1].gather(1, chosen)).squeeze(1)
    residual = (p[:-1] - q).clamp(min=0)
    # Where p = q nothing is ever rejected, but a row to draw from must not be empty.
    residual = torch.where(residual.sum(1, keepdim=True) > 0, residual, p[:-1])
    return kept, draw(torch.cat((residual, p[-1:])), generator)


def read_out(block: Block, kept: Tensor, own: Tensor) -> tuple[list[int], list[bool], list[int]]:
    """Brings tokens (M,), verdicts (M,) and the target's tokens (M + 1,) over in one transfer.

    Raises:
        UserError: The target gave NaN for one of the positions.
    """
    count = len(block.tokens)
    numbers = torch.cat((block.tokens, kept, own)).tolist()
    if NO_TOKEN in numbers[2 * count :]:
        raise nan_logits("pair.target")
    return numbers[:count], [n == 1 for n in numbers[count : 2 * count]], numbers[2 * count :]
