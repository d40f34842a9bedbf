"""Batches of embeddings from shards, in an order that the seed and the epoch decide alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from judge_lightning.embeddings import EmbeddingIndex
from judge_lightning.reading import ALL, Reading, map_tokens

_EPOCHS_PER_SEED = 1_000_003
_VALIDATION_BATCH = 1024


class Batch(NamedTuple):
    """``embeddings`` (tokens, layers, hidden) as stored; ``labels`` (tokens,) float32, 1 or 0.

    ``tokens`` is what a summed loss is divided by: the tokens of all processes' shares of the
    batch, over the processes. Their gradients' mean is then the whole batch's gradient, however
    uneven the shares are; a single process divides by its own tokens.

    ``draft`` (tokens, draft's hidden), as stored, are the draft's states, where heads read them.
    """

    embeddings: Tensor
    labels: Tensor
    tokens: float
    draft: Tensor | None = None


class ShardBatches(IterableDataset[Batch]):
    """One pass over a split in batches, with one shard mapped into memory at a time.

    ``place``, a process's number and how many there are, is (0, 1) unless set: of several
    processes each yields its share of every batch, which may be empty.

    Args:
        order: Shuffles the shards and the tokens of each; None keeps them as stored. A batch
            does not reach over two shards.
        reading: What of the shards is read.
    """

    def __init__(
        self,
        folder: Path,
        index: EmbeddingIndex,
        split: str,
        batch_size: int,
        order: int | None,
        *,
        reading: Reading = ALL,
    ) -> None:
        self._folder = folder
        self._index = index
        self._reading = reading
        self._shards = reading.counted(index).of(split)
        self._batch_size = batch_size
        self._order = order
        self.place = (0, 1)

    def __len__(self) -> int:
        return sum(-(-shard.tokens // self._batch_size) for shard in self._shards)

    def __iter__(self) -> Iterator[Batch]:
        generator = None
        shards = self._shards
        if self._order is not None:
            generator = torch.Generator().manual_seed(self._order)
            places = torch.randperm(len(shards), generator=generator)
            shards = [shards[place] for place in places.tolist()]
        rank, processes = self.place
        for shard in shards:
            layers, labels, draft, rows = map_tokens(
                self._folder, self._index, shard, self._reading
            )
            if generator is not None:
                rows = rows[torch.randperm(len(rows), generator=generator)]
            for chosen in rows.split(self._batch_size):
                mine = chosen[rank::processes]
                tokens = len(chosen) / processes
                said = None if draft is None else draft[mine]
                yield Batch(_gathered(layers, mine), labels[mine].float(), tokens, said)


def _gathered(layers: list[Tensor], rows: Tensor) -> Tensor:
    """The rows of every layer (rows, layers, hidden); a layer's lie together."""
    states = torch.empty(len(layers), len(rows), layers[0].shape[1], dtype=layers[0].dtype)
    for layer, into in zip(layers, states, strict=True):
        torch.index_select(layer, 0, rows, out=into)
    return states.transpose(0, 1)


class JudgeDataModule(LightningDataModule):
    """The train and validation splits of an embeddings folder.

    The order of an epoch follows from the seed and the epoch's number alone, so that a
    resumed training sees what an undisturbed one sees. The Trainer needs
    ``reload_dataloaders_every_n_epochs=1``.

    Args:
        folder: What ``embed_tuples`` wrote.
        batch_size: Tokens per training batch.
        seed: Decides the order of training, together with the epoch.
        reading: What of the shards is read.
    """

    def __init__(self, folder: Path, batch_size: int, seed: int, reading: Reading = ALL) -> None:
        super().__init__()
        self.folder = folder
        self.reading = reading
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

    def whole_validation(self) -> ShardBatches:
        """The validation split as stored, in one process, however many train."""
        return ShardBatches(
            self.folder, self.index, "validation", _VALIDATION_BATCH, None, reading=self.reading
        )

    def _loader(self, split: str, batch_size: int, order: int | None) -> DataLoader[Batch]:
        batches = ShardBatches(
            self.folder, self.index, split, batch_size, order, reading=self.reading
        )
        if self.trainer is not None:
            batches.place = (self.trainer.global_rank, self.trainer.world_size)
        return DataLoader(batches, batch_size=None)
