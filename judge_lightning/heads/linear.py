"""The paper's head: a linear form of one layer's embedding (arXiv 2501.19309, section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from judge_lightning.heads.bank import HeadBank, fold
from judge_lightning.heads.base import JudgeHead
from judge_lightning.heads.config import HeadConfig


class LinearHead(JudgeHead):
    """One weight per embedding dimension and a bias: sigmoid(w.e + b)."""

    FORMULA = "sigmoid(w.e + b)"

    weight: Tensor
    bias: Tensor

    @classmethod
    def shapes(cls, config: HeadConfig) -> dict[str, tuple[int, ...]]:
        return {"weight": (config.hidden_size,), "bias": ()}

    @classmethod
    def bank(cls) -> type[HeadBank]:
        return LinearBank

    def forward(self, embeddings: Tensor, draft: Tensor | None = None) -> Tensor:
        return embeddings.to(self.weight.dtype) @ self.weight + self.bias


class LinearBank(HeadBank):
    """``weight`` (heads, hidden) and ``bias`` (heads,); a head reads the layer at its own place."""

    weight: nn.Parameter
    bias: nn.Parameter

    def declare(self, hidden: int, options: Mapping[str, Any], generator: torch.Generator) -> None:
        self.weight = nn.Parameter(torch.zeros(len(self.heads), hidden))
        self.bias = nn.Parameter(torch.zeros(len(self.heads)))

    def forward(self, embeddings: Tensor, draft: Tensor | None = None) -> Tensor:
        # Standardising the weights instead of the embeddings is the same sum and leaves no copy
        # of the batch; a product per layer reads its rows where they lie, which bmm does not.
        folded = self.weight / self.std
        logits = [embeddings[:, layer] @ row for layer, row in enumerate(folded)]
        return torch.stack(logits, dim=1) + (self.bias - (folded * self.mean).sum(-1))

    def exported(self, place: int) -> dict[str, Tensor]:
        scale = self.mean[place], self.std[place]
        weight, bias = fold(self.weight[place].detach(), self.bias[place].detach(), *scale)
        return {"weight": weight, "bias": bias}


HEAD = LinearHead
