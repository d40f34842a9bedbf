"""Batches of embeddings from shards, in an order that the seed and the epoch decide alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from lightning.pytorch import LightningDataModule
from safetensors import safe_open
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from judge_lightning.embeddings import EmbeddingIndex, Shard

_EPOCHS_PER_SEED = 1_000_003
_VALIDATION_BATCH = 1024


class Batch(NamedTuple):
    """``embeddings`` (tokens, layers, hidden) float32; ``labels`` (tokens,) float32, 1 or 0."""

    embeddings: Tensor
    labels: Tensor


class ShardBatches(IterableDataset[Batch]):
    """One pass over a split in batches, with one shard in memory at a time.

    Args:
        order: Shuffles the shards and the tokens of each; None keeps them as stored. A batch
            does not reach over two shards.
    """

    def __init__(
        self, folder: Path, index: EmbeddingIndex, split: str, batch_size: int, order: int | None
    ) -> None:
        self._folder = folder
        self._index = index
        self._shards = index.of(split)
        self._batch_size = batch_size
        self._order = order

    def __len__(self) -> int:
        return sum(-(-shard.tokens // self._batch_size) for shard in self._shards)

    def __iter__(self) -> Iterator[Batch]:
        generator = None
        shards = self._shards
        if self._order is not None:
            generator = torch.Generator().manual_seed(self._order)
            places = torch.randperm(len(shards), generator=generator)
            shards = [shards[place] for place in places.tolist()]
        for shard in shards:
            embeddings, labels = read_shard(self._folder, self._index, shard)
            rows = torch.arange(len(labels))
            if generator is not None:
                rows = torch.randperm(len(labels), generator=generator)
            for chosen in rows.split(self._batch_size):
                yield Batch(embeddings[chosen].float(), labels[chosen].float())


def read_shard(
    folder: Path, index: EmbeddingIndex, shard: Shard, layer: int | None = None
) -> tuple[Tensor, Tensor]:
    """Reads one shard's embeddings (tokens, layers, hidden), as stored, and labels (tokens,).

    Args:
        layer: Read this layer alone; the middle axis is then 1 long.
    """
    layers = range(index.layers) if layer is None else [layer]
    with safe_open(folder / shard.file, "pt") as file:
        states = [file.get_tensor(f"layer.{number}") for number in layers]
        return torch.stack(states, dim=1), file.get_tensor("labels")


class JudgeDataModule(LightningDataModule):
    """The train and validation splits of an embeddings folder.

    The order of an epoch follows from the seed and the epoch's number alone, so that a
    resumed training sees what an undisturbed one sees. The Trainer needs
    ``reload_dataloaders_every_n_epochs=1``.

    Args:
        folder: What ``embed_tuples`` wrote.
        batch_size: Tokens per training batch.
        seed: Decides the order of training, together with the epoch.
    """

    def __init__(self, folder: Path, batch_size: int, seed: int) -> None:
        super().__init__()
        self.folder = folder
        self.index = EmbeddingIndex.load(folder)
        self._batch_size = batch_size
        self._seed = seed

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled batches of the train split, for the epoch that is about to begin."""
        epoch = self.trainer.current_epoch if self.trainer is not None else 0
        return self._loader("train", self._batch_size, self._seed * _EPOCHS_PER_SEED + epoch)

    def val_dataloader(self) -> DataLoader[Batch]:
        """The validation split as stored."""
        return self._loader("validation", _VALIDATION_BATCH, None)

    def _loader(self, split: str, batch_size: int, order: int | None) -> DataLoader[Batch]:
        batches = ShardBatches(self.folder, self.index, split, batch_size, order)
        return DataLoader(batches, batch_size=None)
