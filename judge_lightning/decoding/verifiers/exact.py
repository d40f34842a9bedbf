"""The standard rule, which keeps the target's own output (arXiv 2211.17192, 2302.01318)."""

from __future__ import annotations

from math import isnan

import torch
from torch import Tensor
from transformers import PreTrainedModel

from judge_lightning.decoding.request import distribution, draw, nan_logits
from judge_lightning.decoding.verifiers.verdict import Block, Verdict


class Exact:
    """Greedy: a token is kept if it is the target's argmax. Sampling: rejection sampling."""

    lossless = True
    reads_draft = False
    reads_draft_states = False
    layers = ()
    threshold = None

    def check_target(self, target: PreTrainedModel) -> None:
        """Every target will do."""

    def check_draft(self, draft: PreTrainedModel) -> None:
        """Every draft will do."""

    def verdict(self, block: Block, generator: torch.Generator | None = None) -> Verdict:
        """Keeps the tokens before the first one that the standard rule rejects."""
        proposed, standard, own = standard_verdicts(block, generator)
        accepted = standard.index(False) if False in standard else len(proposed)
        return Verdict(proposed, accepted, own[accepted], standard)


def standard_verdicts(
    block: Block, generator: torch.Generator | None
) -> tuple[list[int], list[bool], list[int]]:
    """What the standard rule says to each token, and what the target would write instead.

    Returns:
        proposed: The M draft tokens.
        kept: Whether the rule keeps each.
        own: The target's M + 1 tokens for each position if the block ended there. When sampling,
            token i < M is drawn from the residual max(0, p - q), which together with the
            rejections gives exactly p (arXiv 2211.17192, appendix A.1).

    Raises:
        UserError: The target gave NaN for one of the positions.
    """
    # Every operation counts here: beside two small models' forwards each is cold and costs 10 us.
    m = len(block.tokens)
    if block.temperature == 0:
        own, peak = block.logits.argmax(-1), block.logits.amax()
        numbers = torch.cat((block.tokens, own)).tolist()  # One transfer, and the only wait.
        proposed, written = numbers[:m], numbers[m:]
        kept = [token == best for token, best in zip(proposed, written, strict=False)]
    else:
        decided, own, peak = _sampled(block, generator)
        numbers = torch.cat((block.tokens, decided, own)).tolist()
        proposed, written = numbers[:m], numbers[2 * m :]
        kept = [number == 1 for number in numbers[m : 2 * m]]
    if isnan(peak):
        raise nan_logits("pair.target")
    return proposed, kept, written


def _sampled(block: Block, generator: torch.Generator | None) -> tuple[Tensor, Tensor, Tensor]:
    """Rejection sampling: kept (M,) bool, own (M + 1,) long, and () NaN where the target is."""
    assert block.draft_probabilities is not None
    p, q = distribution(block.logits, block.temperature), block.draft_probabilities
    chosen = block.tokens.unsqueeze(1)
    chance = torch.rand(chosen.shape, generator=generator, device=p.device)
    kept = (chance * q.gather(1, chosen) < p[:-1].gather(1, chosen)).squeeze(1)
    residual = (p[:-1] - q).clamp(min=0)
    # Where p = q nothing is ever rejected, but a row to draw from must not be empty.
    residual = torch.where(residual.sum(1, keepdim=True) > 0, residual, p[:-1])
    return kept, draw(torch.cat((residual, p[-1:])), generator), p.amax()


RULE = Exact
