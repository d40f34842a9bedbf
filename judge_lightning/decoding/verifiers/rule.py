"""What rules that look at a block token by token have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from transformers import PreTrainedModel

from judge_lightning.decoding.request import distribution, draw
from judge_lightning.decoding.verifiers.exact import standard_verdicts
from judge_lightning.decoding.verifiers.verdict import Block, Verdict
from judge_lightning.errors import UserError


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a rule says to every token of a block.

    Attributes:
        kept: (M,) bool, on the target's device.
        judge: (M,) float, a judge's probabilities; None for a rule without one.
    """

    kept: Tensor
    judge: Tensor | None = None


class TokenRule(ABC):
    """A rule that says yes or no to each token; the first no ends the cycle.

    Such a rule is lossy: what it keeps is not what the target would have written. Where it ends
    a block the target writes its own token: the argmax, or when sampling a draw from its
    distribution, from the residual if the rule keeps all that the standard rule keeps
    (``contains_standard``), whose rejections make the residual the right one.
    """

    lossless: ClassVar[bool] = False
    contains_standard: bool = False
    reads_draft: bool = False
    """Whether ``Block.draft_probabilities`` are needed when decoding greedily too."""
    reads_draft_states: bool = False
    layers: tuple[int, ...] = ()
    threshold: float | None = None

    @abstractmethod
    def opinion(self, block: Block, standard: Tensor) -> Opinion:
        """Votes on a block of at least one token.

        Args:
            standard: (M,) bool, what the standard rule keeps.
        """

    def check_target(self, target: PreTrainedModel) -> None:  # noqa: B027 (few rules need it)
        """Every target will do."""

    def check_draft(self, draft: PreTrainedModel) -> None:  # noqa: B027 (likewise)
        """Every draft will do."""

    def verdict(self, block: Block, generator: torch.Generator | None = None) -> Verdict:
        """Keeps the tokens before the first one that the rule says no to."""
        proposed, said, written = standard_verdicts(block, generator)
        if block.temperature > 0 and not self.contains_standard:
            written = draw(distribution(block.logits, block.temperature), generator).tolist()
        standard = torch.tensor(said, dtype=torch.bool, device=block.logits.device)
        opinion = self.opinion(block, standard) if said else Opinion(standard)
        kept: list[bool] = opinion.kept.tolist()
        judge = None if opinion.judge is None else opinion.judge.tolist()
        accepted = kept.index(False) if False in kept else len(kept)
        return Verdict(proposed, accepted, written[accepted], said, judge, kept)


def target_distribution(block: Block) -> Tensor:
    """The target's distribution (M, V) at every draft token's place.

    Greedy decoding takes it at temperature 1, the models' own.
    """
    return distribution(block.logits[:-1], block.temperature or 1.0)


def draft_distribution(block: Block, rule: str) -> Tensor:
    """The draft's distribution (M, V) likewise.

    Raises:
        UserError: The engine gives none.
    """
    if block.draft_probabilities is None:
        raise UserError(
            "verifier",
            f"{rule} compares the target's probabilities with the draft's, which this engine"
            " does not give when it decodes greedily",
            "use engine=eager, or another rule",
        )
    return block.draft_probabilities


def check_share(rule: str, name: str, value: float) -> float:
    """Gives back a number between 0 and 1.

    Raises:
        UserError: It is none.
    """
    if not 0.0 <= value <= 1.0:
        raise UserError(f"verifier {rule}", f"{name} is {value}", "give 0 to 1")
    return value
