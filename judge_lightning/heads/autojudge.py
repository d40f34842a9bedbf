"""AutoJudge's head: draft and target embeddings of a mismatched token (arXiv 2504.20039)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from judge_lightning.errors import UserError
from judge_lightning.heads.bank import HeadBank, fold
from judge_lightning.heads.base import JudgeHead
from judge_lightning.heads.config import HeadConfig


class AutoJudgeHead(JudgeHead):
    """Logistic regression on [draft's state; target's state]: sigmoid(u.d + w.e + b).

    Both states are at the judged token's own position, as in the authors' code (setup ``DD-DT``,
    github.com/garipovroma/autojudge); they take them after the final norm, here both are taken
    before it, as everywhere in this project. The head is trained on mismatches alone, tokens that
    are not the target's argmax, and knows no others. It says how likely a token is *un*important:
    the authors' score is 1 minus it.

    Options:
        layer: Of the target, a Python index into its blocks (-1: the last). The draft's is its
            last.
    """

    OPTIONS: ClassVar[Mapping[str, Any]] = {"layer": -1}
    FORMULA = "sigmoid(u.d + w.e + b)"
    SOURCE = "AutoJudge, arXiv 2504.20039"
    WHAT_IT_READS = "the draft's (d) and the frozen target's (e) own hidden\nstates at that token"
    reads_draft_embedding = True
    mismatches_only = True

    draft_weight: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, config: HeadConfig) -> None:
        if config.draft_hidden_size < 1:
            problem = f"{config.draft_hidden_size} does not fit"
            raise UserError("judge draft_hidden_size", problem, "it must be positive")
        super().__init__(config)

    @classmethod
    def check_options(cls, options: Mapping[str, Any], layers: int | None) -> None:
        layer = options["layer"]
        if type(layer) is not int:
            raise UserError("layer", f"{layer!r} is no layer", "give one number, -1 is the last")
        if layers is not None and not -layers <= layer < layers:
            problem = f"{layer} is out of range for a target of {layers} layers"
            raise UserError("layer", problem, f"choose {-layers} to {layers - 1}")

    @classmethod
    def candidates(cls, layers: int, options: Mapping[str, Any]) -> list[tuple[int, ...]]:
        """One head alone."""
        return [(options["layer"] % layers,)]

    @classmethod
    def shapes(cls, config: HeadConfig) -> dict[str, tuple[int, ...]]:
        return {
            "draft_weight": (config.draft_hidden_size,),
            "weight": (config.hidden_size,),
            "bias": (),
        }

    @classmethod
    def bank(cls) -> type[HeadBank]:
        return AutoJudgeBank

    def forward(self, embeddings: Tensor, draft: Tensor | None = None) -> Tensor:
        assert draft is not None, "needs the draft's states"
        kind = self.weight.dtype
        logits = draft.to(kind) @ self.draft_weight + embeddings.to(kind) @ self.weight
        return logits + self.bias


class AutoJudgeBank(HeadBank):
    """``draft_weight`` (1, draft's hidden), ``weight`` (1, hidden) and ``bias`` (1,)."""

    draft_weight: nn.Parameter
    weight: nn.Parameter
    bias: nn.Parameter

    def declare(self, hidden: int, options: Mapping[str, Any], generator: torch.Generator) -> None:
        self.draft_weight = nn.Parameter(torch.zeros(1, len(self.draft_mean)))
        self.weight = nn.Parameter(torch.zeros(1, hidden))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, embeddings: Tensor, draft: Tensor | None = None) -> Tensor:
        assert draft is not None, "needs the draft's states"
        said = ((draft.float() - self.draft_mean) / self.draft_std) @ self.draft_weight.T
        read = ((embeddings[:, 0].float() - self.mean[0]) / self.std[0]) @ self.weight.T
        return said + read + self.bias

    def exported(self, place: int) -> dict[str, Tensor]:
        draft_weight, bias = fold(
            self.draft_weight[place].detach(),
            self.bias[place].detach(),
            self.draft_mean,
            self.draft_std,
        )
        weight, bias = fold(self.weight[place].detach(), bias, self.mean[0], self.std[0])
        return {"draft_weight": draft_weight, "weight": weight, "bias": bias}


HEAD = AutoJudgeHead
