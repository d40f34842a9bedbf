"""The paper's head: a linear form of one layer's embedding (arXiv 2501.19309, section 4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from judge_lightning.heads.bank import HeadBank, fold
from judge_lightning.heads.base import JudgeHead
from judge_lightning.heads.config import HeadConfig

_BLOCK = 2**17
"""Numbers that are made float32 at a time: few enough to stay in a core's cache."""


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
        weight, bias = self._folded()
        logits = [
            torch.cat([block @ row for _, block in _blocks(embeddings[:, layer])])
            for layer, row in enumerate(weight)
        ]
        return torch.stack(logits, dim=1) + bias

    def losses(
        self, embeddings: Tensor, draft: Tensor | None, labels: Tensor, worth: Tensor
    ) -> Tensor:
        losses: Tensor = _Losses.apply(embeddings, *self._folded(), labels, worth)
        return losses

    def _folded(self) -> tuple[Tensor, Tensor]:
        """Standardising the weights instead of the embeddings is the same sum, without a copy of
        the batch."""
        folded = self.weight / self.std
        return folded, self.bias - (folded * self.mean).sum(-1)

    def exported(self, place: int) -> dict[str, Tensor]:
        scale = self.mean[place], self.std[place]
        weight, bias = fold(self.weight[place].detach(), self.bias[place].detach(), *scale)
        return {"weight": weight, "bias": bias}


class _Losses(torch.autograd.Function):
    """The weighted cross entropy of every layer's head, (layers,), and its gradient in one go.

    Of embeddings (tokens, layers, hidden) of any floating type, weights (layers, hidden), biases
    (layers,), labels and token weights (tokens,). Embeddings are made float32 block by block and
    used up while they are in the cache: a float32 copy of the batch, read once for the logits
    and again for the gradient, is most of what further layers would cost.
    """

    @staticmethod
    def forward(ctx: Any, embeddings: Tensor, *given: Tensor) -> Tensor:
        weight, bias, labels, worth = given
        tokens, layers, _ = embeddings.shape
        logits, errors = torch.empty(2, layers, tokens)
        gradient = torch.zeros_like(weight)
        for layer in range(layers):
            for rows, block in _blocks(embeddings[:, layer]):
                logit, error = logits[layer, rows], errors[layer, rows]
                torch.addmv(bias[layer], block, weight[layer], out=logit)
                torch.sigmoid(logit, out=error).sub_(labels[rows]).mul_(worth[rows])
                gradient[layer].addmv_(block.T, error)
        ctx.save_for_backward(gradient, errors.sum(1))
        losses = F.binary_cross_entropy_with_logits(
            logits, labels.expand_as(logits), weight=worth, reduction="none"
        )
        return losses.sum(1)

    @staticmethod
    def backward(ctx: Any, along: Tensor) -> tuple[None, Tensor, Tensor, None, None]:
        weight, bias = ctx.saved_tensors
        return None, along[:, None] * weight, along * bias, None, None


def _blocks(states: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Runs of rows of states (tokens, hidden), and the rows as float32."""
    step = max(1, _BLOCK // states.shape[1])
    for start in range(0, len(states), step):
        rows = slice(start, min(start + step, len(states)))
        yield rows, states[rows].float()


HEAD = LinearHead
