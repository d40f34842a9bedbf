"""Heads in training: several of one kind side by side, each as if it were alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class FeatureScale:
    """What standardises embeddings, from the train split: ``mean`` and ``std`` (layers, hidden).

    ``draft_mean`` and ``draft_std`` (draft's hidden,) do so with the draft's states, where heads
    read them.
    """

    mean: Tensor
    std: Tensor
    draft_mean: Tensor | None = None
    draft_std: Tensor | None = None


class HeadBank(nn.Module):
    """The trained weights of several heads of one kind, on standardised embeddings.

    The first axis of every parameter is the head; those whose names end in ``bias`` are not
    decayed. A kind's bank declares its parameters, and how they make logits and, with the
    standardisation folded in, an exported head's weights.

    Args:
        scale: Of the layers in ``layers``, in that order.
        heads: The layers that each head reads, ascending.
        options: The kind's, all of them.
        seed: Decides weights that do not start at zero.
    """

    mean: Tensor
    std: Tensor
    draft_mean: Tensor
    draft_std: Tensor

    def __init__(
        self,
        scale: FeatureScale,
        heads: Sequence[tuple[int, ...]],
        options: Mapping[str, Any],
        seed: int,
    ) -> None:
        super().__init__()
        self.heads = tuple(heads)
        self.layers = tuple(sorted({layer for layers in heads for layer in layers}))
        for name in ("mean", "std", "draft_mean", "draft_std"):
            value = getattr(scale, name)
            if value is not None:
                self.register_buffer(name, value.float())
        self.declare(self.mean.shape[-1], options, torch.Generator().manual_seed(seed))

    def declare(self, hidden: int, options: Mapping[str, Any], generator: torch.Generator) -> None:
        """Sets the parameters."""
        raise NotImplementedError

    def forward(self, embeddings: Tensor, draft: Tensor | None = None) -> Tensor:
        """Maps embeddings (tokens, layers, hidden) of the bank's ``layers`` and draft states
        (tokens, draft's hidden), both of any floating type, to logits (tokens, heads) float32."""
        raise NotImplementedError

    def losses(
        self, embeddings: Tensor, draft: Tensor | None, labels: Tensor, worth: Tensor
    ) -> Tensor:
        """The cross entropy of every head, (heads,), of labels (tokens,) 0 or 1, each token
        times what it is ``worth`` (tokens,)."""
        return weighted_cross_entropy(self(embeddings, draft), labels, worth)

    def exported(self, place: int) -> dict[str, Tensor]:
        """The weights, float32, of the head at a place for embeddings as they are."""
        raise NotImplementedError

    def parameter_groups(self, weight_decay: float) -> list[dict[str, Any]]:
        """What an optimiser is given: biases are not decayed."""
        named = list(self.named_parameters())
        return [
            {
                "params": [p for name, p in named if not name.endswith("bias")],
                "weight_decay": weight_decay,
            },
            {"params": [p for name, p in named if name.endswith("bias")], "weight_decay": 0.0},
        ]

    @torch.no_grad()
    def take(self, other: HeadBank, which: Tensor) -> None:
        """Copies the heads of another such bank at the places where ``which`` (heads,) is true."""
        for mine, others in zip(self.parameters(), other.parameters(), strict=True):
            mask = which.view(-1, *[1] * (mine.ndim - 1))
            mine.copy_(torch.where(mask, others, mine))


def weighted_cross_entropy(logits: Tensor, labels: Tensor, worth: Tensor) -> Tensor:
    """The sum over tokens, (heads,), of logits (tokens, heads), labels and weights (tokens,)."""
    losses = F.binary_cross_entropy_with_logits(
        logits, labels[:, None].expand_as(logits), reduction="none"
    )
    return worth @ losses


def fold(weight: Tensor, bias: Tensor, mean: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
    """Weights (..., n) and biases (...) that do to x what the given ones do to (x - mean) / std.

    In double precision, given back as float32; ``mean`` and ``std`` are (n,).
    """
    folded = weight.double() / std.double()
    return folded.float(), (bias.double() - folded @ mean.double()).float()
