"""What a verifier is given and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from transformers import PreTrainedModel


@dataclass(slots=True)
class Block:
    """One cycle's proposals and what the target made of them; M may be 0.

    Attributes:
        tokens: Draft tokens (M,) long.
        logits: The target's logits (M + 1, V); row i is for the position of draft token i, the
            last row for the token after the block.
        embeddings: The target's hidden states at the draft tokens' own positions: (M, H) of the
            one layer, (M, L, H) of the several in the verifier's ``layers``; None when it reads
            none.
        temperature: 0 is greedy.
        draft_probabilities: What the tokens were drawn from, (M, V). When greedy None, or for a
            rule that reads them the draft's distribution at temperature 1.
        draft_states: The draft's hidden states (M, D) at the draft tokens' own positions, the
            output of its last block; None for a rule that reads none.
    """

    tokens: Tensor
    logits: Tensor
    embeddings: Tensor | None = None
    temperature: float = 0.0
    draft_probabilities: Tensor | None = None
    draft_states: Tensor | None = None


@dataclass(slots=True)
class Verdict:
    """How many of the ``proposed`` tokens are kept, and the target's own token after them.

    ``standard`` and ``judge`` hold what each rule said to every proposed token, the judge's
    as a probability. ``kept`` is what the rule itself said to each; None where it follows from
    these two: kept by the standard rule, or by the judge.
    """

    proposed: list[int]
    accepted: int
    next_token: int
    standard: list[bool]
    judge: list[float] | None = None
    kept: list[bool] | None = None


class Verifier(Protocol):
    """An acceptance rule."""

    @property
    def lossless(self) -> bool:
        """Whether the output stays the target's own: token for token, or in distribution."""

    @property
    def reads_draft(self) -> bool:
        """Whether the rule needs the draft's probabilities when decoding greedily too."""

    @property
    def reads_draft_states(self) -> bool:
        """Whether the rule needs the draft's hidden states."""

    @property
    def layers(self) -> tuple[int, ...]:
        """The target's blocks whose outputs the rule reads (0-based), ascending; may be none."""

    @property
    def threshold(self) -> float | None:
        """The probability above which a judge keeps a token, None for a rule without one."""

    def check_target(self, target: PreTrainedModel) -> None:
        """Raises UserError when the rule cannot be used with this target."""

    def check_draft(self, draft: PreTrainedModel) -> None:
        """Raises UserError when the rule cannot be used with this draft."""

    def verdict(self, block: Block, generator: torch.Generator | None = None) -> Verdict:
        """Decides on one block; ``generator`` is the randomness of sampling."""
