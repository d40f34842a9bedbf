"""Rules made of rules: the paper's own is ``any_of(Exact(), JudgeAlone(head))``."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from transformers import PreTrainedModel

from judge_lightning.decoding.verifiers.rule import Opinion, TokenRule
from judge_lightning.decoding.verifiers.verdict import Block
from judge_lightning.errors import UserError


class Standard(TokenRule):
    """The standard rule as a part of others. By itself it is ``Exact``."""

    contains_standard = True

    def opinion(self, block: Block, standard: Tensor) -> Opinion:
        """What it was told."""
        return Opinion(standard)


class _Composed(TokenRule):
    def __init__(self, rules: Sequence[TokenRule]) -> None:
        if not rules:
            raise UserError("verifier", "no rules to compose", "give at least one")
        layers = {rule.layers for rule in rules if rule.layers}
        if len(layers) > 1:
            raise UserError(
                "verifier",
                f"its rules read the layers {' and '.join(map(str, sorted(layers)))}",
                "compose judges of the same layers",
            )
        self.rules = tuple(rules)
        self.layers = next(iter(layers), ())
        self.threshold = next((r.threshold for r in rules if r.threshold is not None), None)
        self.reads_draft = any(rule.reads_draft for rule in rules)
        self.reads_draft_states = any(rule.reads_draft_states for rule in rules)

    def check_target(self, target: PreTrainedModel) -> None:
        """Asks all of them."""
        for rule in self.rules:
            rule.check_target(target)

    def check_draft(self, draft: PreTrainedModel) -> None:
        """Asks all of them."""
        for rule in self.rules:
            rule.check_draft(draft)

    def _opinions(self, block: Block, standard: Tensor) -> tuple[list[Tensor], Tensor | None]:
        opinions = [rule.opinion(block, standard) for rule in self.rules]
        judge = next((one.judge for one in opinions if one.judge is not None), None)
        return [one.kept for one in opinions], judge


class AnyOf(_Composed):
    """Keeps what one of the rules keeps."""

    def __init__(self, rules: Sequence[TokenRule]) -> None:
        super().__init__(rules)
        self.contains_standard = any(rule.contains_standard for rule in rules)

    def opinion(self, block: Block, standard: Tensor) -> Opinion:
        """The rules' votes, joined by OR."""
        votes, judge = self._opinions(block, standard)
        kept = votes[0]
        for vote in votes[1:]:
            kept = kept | vote
        return Opinion(kept, judge)


class AllOf(_Composed):
    """Keeps what all of the rules keep."""

    def __init__(self, rules: Sequence[TokenRule]) -> None:
        super().__init__(rules)
        self.contains_standard = all(rule.contains_standard for rule in rules)

    def opinion(self, block: Block, standard: Tensor) -> Opinion:
        """The rules' votes, joined by AND."""
        votes, judge = self._opinions(block, standard)
        kept = votes[0]
        for vote in votes[1:]:
            kept = kept & vote
        return Opinion(kept, judge)


def any_of(*rules: TokenRule) -> AnyOf:
    """Keeps a token that one of the rules keeps."""
    return AnyOf(rules)


def all_of(*rules: TokenRule) -> AllOf:
    """Keeps a token that all of the rules keep."""
    return AllOf(rules)
