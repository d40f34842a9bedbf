"""A head with one layer of hidden units: what no straight cut through the embeddings tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from judge_lightning.errors import UserError
from judge_lightning.heads.bank import HeadBank, fold
from judge_lightning.heads.base import JudgeHead
from judge_lightning.heads.config import HeadConfig


class MlpHead(JudgeHead):
    """Hidden units on one layer's embedding: sigmoid(v.relu(W e + c) + b).

    Options:
        hidden: How many units.
    """

    OPTIONS: ClassVar[Mapping[str, Any]] = {"hidden": 64}
    FORMULA = "sigmoid(v.relu(W e + c) + b)"

    input_weight: Tensor
    input_bias: Tensor
    weight: Tensor
    bias: Tensor

    @classmethod
    def check_options(cls, options: Mapping[str, Any], layers: int | None) -> None:
        hidden = options["hidden"]
        if isinstance(hidden, bool) or not isinstance(hidden, int) or hidden < 1:
            raise UserError("hidden", f"{hidden!r} is no number of units", "give 1 or more")

    @classmethod
    def shapes(cls, config: HeadConfig) -> dict[str, tuple[int, ...]]:
        units = {**cls.OPTIONS, **config.options}["hidden"]
        return {
            "input_weight": (units, config.hidden_size),
            "input_bias": (units,),
            "weight": (units,),
            "bias": (),
        }

    @classmethod
    def bank(cls) -> type[HeadBank]:
        return MlpBank

    def forward(self, embeddings: Tensor, draft: Tensor | None = None) -> Tensor:
        hidden = embeddings.to(self.weight.dtype) @ self.input_weight.T + self.input_bias
        return hidden.relu() @ self.weight + self.bias


class MlpBank(HeadBank):
    """``input_weight`` (heads, units, hidden), ``input_bias`` and ``weight`` (heads, units), and
    ``bias`` (heads,); a head reads the layer at its own place.

    All heads start from the same random units, so that each ends where it would have ended alone.
    """

    input_weight: nn.Parameter
    input_bias: nn.Parameter
    weight: nn.Parameter
    bias: nn.Parameter

    def declare(self, hidden: int, options: Mapping[str, Any], generator: torch.Generator) -> None:
        units, heads = options["hidden"], len(self.heads)
        # He et al. 2015, for inputs of variance 1.
        drawn = torch.randn(units, hidden, generator=generator) * (2 / hidden) ** 0.5
        self.input_weight = nn.Parameter(drawn.repeat(heads, 1, 1))
        self.input_bias = nn.Parameter(torch.zeros(heads, units))
        self.weight = nn.Parameter(torch.zeros(heads, units))
        self.bias = nn.Parameter(torch.zeros(heads))

    def forward(self, embeddings: Tensor, draft: Tensor | None = None) -> Tensor:
        standardised = ((embeddings.float() - self.mean) / self.std).transpose(0, 1)
        hidden = torch.baddbmm(
            self.input_bias.unsqueeze(1), standardised, self.input_weight.transpose(1, 2)
        )  # (heads, tokens, units)
        return (hidden.relu() @ self.weight.unsqueeze(2)).squeeze(2).T + self.bias

    def exported(self, place: int) -> dict[str, Tensor]:
        given = self.input_weight[place].detach(), self.input_bias[place].detach()
        input_weight, input_bias = fold(*given, self.mean[place], self.std[place])
        return {
            "input_weight": input_weight,
            "input_bias": input_bias,
            "weight": self.weight[place].detach().clone(),
            "bias": self.bias[place].detach().clone(),
        }


HEAD = MlpHead
