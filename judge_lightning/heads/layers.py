"""A linear head over several layers at once: what one of them knows and another does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from judge_lightning.errors import UserError
from judge_lightning.heads.bank import HeadBank, fold
from judge_lightning.heads.base import JudgeHead
from judge_lightning.heads.config import HeadConfig


class LayersHead(JudgeHead):
    """One weight per dimension of every layer that is read: sigmoid(sum over l of w_l.e_l + b).

    Options:
        layers: Which, as Python indices into the target's blocks (-1: the last); at least two.
    """

    OPTIONS: ClassVar[Mapping[str, Any]] = {"layers": [-1, -2]}
    FORMULA = "sigmoid(sum over layers l of w_l.e_l + b)"
    WHAT_IT_READS = "the frozen target's own hidden states of several\nlayers at that token"
    several_layers = True

    weight: Tensor
    bias: Tensor

    @classmethod
    def check_options(cls, options: Mapping[str, Any], layers: int | None) -> None:
        wanted = options["layers"]
        whole = isinstance(wanted, (list, tuple)) and all(type(one) is int for one in wanted)
        if not whole or len(wanted) < 2:
            raise UserError("layers", f"{wanted!r} are no layers", "give two or more: [-1, -2]")
        if layers is None:
            return
        for one in wanted:
            if not -layers <= one < layers:
                problem = f"{one} is out of range for a target of {layers} layers"
                raise UserError("layers", problem, f"choose from {-layers} to {layers - 1}")
        if len({one % layers for one in wanted}) < len(wanted):
            raise UserError("layers", f"{list(wanted)} name a layer twice", "name each once")

    @classmethod
    def candidates(cls, layers: int, options: Mapping[str, Any]) -> list[tuple[int, ...]]:
        """One head alone."""
        return [tuple(sorted(layer % layers for layer in options["layers"]))]

    @classmethod
    def shapes(cls, config: HeadConfig) -> dict[str, tuple[int, ...]]:
        return {"weight": (len(config.layers_read), config.hidden_size), "bias": ()}

    @classmethod
    def bank(cls) -> type[HeadBank]:
        return LayersBank

    def forward(self, embeddings: Tensor, draft: Tensor | None = None) -> Tensor:
        features = embeddings.to(self.weight.dtype).flatten(-2)
        return features @ self.weight.flatten() + self.bias


class LayersBank(HeadBank):
    """``weight`` (1, layers, hidden) and ``bias`` (1,): one head over all layers of the bank."""

    weight: nn.Parameter
    bias: nn.Parameter

    def declare(self, hidden: int, options: Mapping[str, Any], generator: torch.Generator) -> None:
        self.weight = nn.Parameter(torch.zeros(1, len(self.layers), hidden))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, embeddings: Tensor, draft: Tensor | None = None) -> Tensor:
        standardised = ((embeddings.float() - self.mean) / self.std).flatten(1)
        return standardised @ self.weight.flatten(1).T + self.bias

    def exported(self, place: int) -> dict[str, Tensor]:
        given = self.weight[place].detach().flatten(), self.bias[place].detach()
        weight, bias = fold(*given, self.mean.flatten(), self.std.flatten())
        return {"weight": weight.view_as(self.mean), "bias": bias}


HEAD = LayersHead
