"""Embeddings whose mistakes lie along one known direction, written as the stage embed writes them.

Normal noise, correct tokens and mistakes ``separation`` of its standard deviations apart along a
random direction, and a mean and a scale of its own for every dimension. The best head is then
known: that direction, whose AUROC is ``ceiling``. The noise either fills every dimension alike
(``rank`` 0), or, as in a language model's hidden states, most of it lies in few directions: the
k-th of ``rank`` has a variance of 1/k.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import erf
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torchmetrics.functional.classification import binary_auroc

from judge_lightning.embeddings import EmbeddingIndex, Shard
from judge_lightning.reading import Reading, map_tokens

_ROWS = 1024
"""Rows that are drawn at a time."""


@dataclass(frozen=True)
class Synthetic:
    """What is written: ``tokens`` of training and a fifth as many of validation, in float16."""

    tokens: int
    width: int
    layers: int = 1
    mistakes: float = 0.05
    separation: float = 4.0
    rank: int = 0
    shard_tokens: int = 16_384
    seed: int = 0

    @property
    def ceiling(self) -> float:
        """The AUROC of the direction itself."""
        return 0.5 * (1 + erf(self.separation / 2))

    def write(self, folder: Path) -> EmbeddingIndex:
        """Writes the shards, one in memory at a time, and their index."""
        folder.mkdir(parents=True, exist_ok=True)
        generator = torch.Generator().manual_seed(self.seed)
        axes = self.rank or self.width
        direction = torch.randn(self.layers, axes, generator=generator)
        step = self.separation * direction / direction.norm(dim=1, keepdim=True)
        basis = self._basis(generator)
        mean = torch.randn(self.layers, self.width, generator=generator)
        scale = 0.5 + torch.rand(self.layers, self.width, generator=generator)
        shards: list[Shard] = []
        for split, count in (("train", self.tokens), ("validation", max(1, self.tokens // 5))):
            for first in range(0, count, self.shard_tokens):
                tokens = min(self.shard_tokens, count - first)
                labels = (torch.rand(tokens, generator=generator) > self.mistakes).to(torch.int8)
                tensors = {"labels": labels}
                for layer in range(self.layers):
                    states = torch.empty(tokens, self.width, dtype=torch.float16)
                    for rows, right in zip(states.split(_ROWS), labels.split(_ROWS), strict=True):
                        noise = torch.randn(len(rows), axes, generator=generator)
                        noise += (right.float() - 0.5)[:, None] * step[layer]
                        if basis is not None:
                            noise = noise @ basis
                        rows.copy_(noise * scale[layer] + mean[layer])
                    tensors[f"layer.{layer}"] = states
                name = f"shard-{len(shards):05d}.safetensors"
                save_file(tensors, folder / name)
                shards.append(Shard(name, split, 1, tokens, int((labels == 0).sum())))
        index = EmbeddingIndex(self.layers, self.width, "float16", "synthetic", tuple(shards))
        index.save(folder)
        return index

    def _basis(self, generator: torch.Generator) -> Tensor | None:
        """The directions of the noise, (rank, width); None where it fills every dimension."""
        if not self.rank:
            return None
        variances = 1 / torch.arange(1, self.rank + 1)
        scale = (variances / variances.sum()).sqrt()
        return torch.randn(self.rank, self.width, generator=generator) * scale[:, None]


def mean_difference_auroc(folder: Path, index: EmbeddingIndex, layer: int = 0) -> float:
    """Validation AUROC of the train split's difference of class means, each over the variance.

    Where the noise fills every dimension alike, the best linear head that the train split can tell:
    Fisher's discriminant with the true, diagonal covariance. No training of ours is part of it.
    """
    sums = torch.zeros(2, index.hidden_size, dtype=torch.float64)
    squares = torch.zeros(index.hidden_size, dtype=torch.float64)
    counts = torch.zeros(2, dtype=torch.float64)
    for states, labels in _blocks(folder, index, "train", layer):
        one_hot = torch.stack([labels == 0, labels == 1]).double()
        sums += one_hot @ states
        squares += states.square().sum(0)
        counts += one_hot.sum(1)
    means = sums / counts[:, None]
    variance = squares / counts.sum() - (sums.sum(0) / counts.sum()).square()
    direction = (means[1] - means[0]) / variance
    found = [
        (states @ direction, labels)
        for states, labels in _blocks(folder, index, "validation", layer)
    ]
    scores, labels = (torch.cat(parts) for parts in zip(*found, strict=True))
    ranks = torch.empty(len(scores), dtype=torch.float64)
    ranks[scores.argsort()] = torch.arange(len(scores), dtype=torch.float64)
    return float(binary_auroc(ranks / len(ranks), (labels == 1).long()))


def _blocks(
    folder: Path, index: EmbeddingIndex, split: str, layer: int
) -> Iterator[tuple[Tensor, Tensor]]:
    for shard in index.of(split):
        (states,), labels, *_ = map_tokens(folder, index, shard, Reading(layers=(layer,)))
        for rows, judged in zip(states.split(_ROWS), labels.split(_ROWS), strict=True):
            yield rows.double(), judged
