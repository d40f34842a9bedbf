"""What the judge does to a batch of draft tokens, in tensors alone: no vLLM in this file.

Where the judge keeps a token, the target's logits for it become a one-hot on that token, which
every rejection sampler keeps: greedily it is the argmax, and sampled it is kept with probability
min(1, 1 / q) = 1 (arXiv 2211.17192, algorithm 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from judge_lightning.heads import JudgeHead

NEVER = 2.0
"""A threshold that no probability exceeds: the standard rule alone."""


@dataclass
class Opinion:
    """The judge's opinion on the n draft tokens of a batch, request after request.

    Attributes:
        tokens: (n,) long, -1 where a slot holds no token.
        probabilities: (n,) float64, how likely each token is correct.
        thresholds: (n,) float64, of the token's request; ``NEVER`` where it asked for exact.
        allowed: (n,) bool, False where a hard constraint forbids the token (grammar, allowed or
            bad words), whatever the judge thinks of it; None until known.
        standard: (n,) float32, with which chance the standard rule keeps the token; None until
            ``overrule``.
    """

    tokens: Tensor
    probabilities: Tensor
    thresholds: Tensor
    allowed: Tensor | None = None
    standard: Tensor | None = None

    @classmethod
    def of(cls, head: JudgeHead, states: Tensor, tokens: Tensor, thresholds: Tensor) -> Opinion:
        """Asks the head.

        Args:
            head: The judge; it is moved to the states' device once.
            states: (n, H), of a head of several layers (n, L, H), at the tokens' own positions.
            tokens: (n,) integers.
            thresholds: (n,) float64.
        """
        if head.device != states.device:
            head.to(states.device)
        # In float32 the sigmoid of a sure "no" is 0, which a threshold of 0 must still pass.
        return cls(tokens.long(), head(states).double().sigmoid(), thresholds)

    @property
    def keeps(self) -> Tensor:
        """(n,) bool: the judge wants the token, and nothing forbids it."""
        keeps = (self.probabilities > self.thresholds) & (self.tokens >= 0)
        return keeps if self.allowed is None else keeps & self.allowed

    def note_allowed(self, logits: Tensor) -> None:
        """Remembers which tokens the hard constraints left a chance; ``logits`` (n, vocabulary)."""
        chosen = logits.gather(1, self.tokens.clamp(min=0)[:, None]).squeeze(1)
        self.allowed = chosen > -torch.inf

    def overrule(
        self, logits: Tensor, draft_probabilities: Tensor | None, greedy: Tensor | None
    ) -> None:
        """Writes the one-hots into ``logits`` (n, vocabulary), in place.

        Args:
            logits: The target's for the draft tokens, after temperature and all constraints.
            draft_probabilities: (n, vocabulary), None where the draft is certain of its tokens.
            greedy: (n,) bool, which tokens are decided by argmax; None where all of them are.
        """
        index = self.tokens.clamp(min=0)[:, None]
        is_argmax = logits.argmax(1) == self.tokens
        if greedy is None:
            self.standard = is_argmax.float()
        else:
            target = logits.softmax(1, dtype=torch.float32).gather(1, index).squeeze(1)
            if draft_probabilities is not None:
                target = target / draft_probabilities.gather(1, index).squeeze(1)
            self.standard = torch.where(greedy, is_argmax.float(), target.clamp(0, 1).nan_to_num())
        keeps = self.keeps
        logits.masked_fill_(keeps[:, None], -torch.inf)
        chosen = logits.gather(1, index).masked_fill_(keeps[:, None], 0.0)
        logits.scatter_(1, index, chosen)

    def overruled(self) -> Tensor:
        """(n,) float32: the expected share of the token that is kept by the judge alone."""
        assert self.standard is not None
        return self.keeps.float() * (1 - self.standard)


@dataclass(frozen=True)
class Layout:
    """Which of n draft tokens belong to which of B requests: both (n,) long."""

    request: Tensor
    position: Tensor

    @classmethod
    def of(cls, drafted: list[int], device: torch.device) -> Layout:
        """``drafted``: the number of draft tokens of every request."""
        counts = torch.tensor(drafted)
        request = torch.arange(len(drafted)).repeat_interleave(counts)
        starts = (counts.cumsum(0) - counts)[request]
        position = torch.arange(len(request)) - starts
        return cls(request.to(device), position.to(device))


def count(opinion: Opinion, layout: Layout, accepted: Tensor) -> Tensor:
    """What a step adds to the counters, (3,) float64: judged cycles, their accepted tokens, and
    how many of these are kept by the judge alone.

    Args:
        accepted: (B,) draft tokens that the sampler kept of every request.
    """
    kept = layout.position < accepted[layout.request]
    judged = opinion.thresholds < NEVER
    cycles = (judged & (layout.position == 0)).sum()
    return torch.stack(
        [
            cycles.double(),
            (kept & judged).sum().double(),
            (opinion.overruled() * kept).sum().double(),
        ]
    )
