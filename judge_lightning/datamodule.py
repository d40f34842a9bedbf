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

from judge_lightning.embeddings import DTYPES, EmbeddingIndex, Shard

_EPOCHS_PER_SEED = 1_000_003
_VALIDATION_BATCH = 1024


class Batch(NamedTuple):
    """``embeddings`` (tokens, layers, hidden) float32; ``labels`` (tokens,) float32, 1 or 0.

    ``tokens`` is what a summed loss is divided by: the tokens of all processes' shares of the
    batch, over the processes. Their gradients' mean is then the whole batch's gradient, however
    uneven the shares are; a single process divides by its own tokens.
    """

    embeddings: Tensor
    labels: Tensor
    tokens: float


class ShardBatches(IterableDataset[Batch]):
    """One pass over a split in batches, with one shard in memory at a time.

    Args:
        order: Shuffles the shards and the tokens of each; None keeps them as stored. A batch
            does not reach over two shards.
        place: Which process this is, and of how many: it yields its share of every batch, which
            may be empty.
    """

    def __init__(
        self,
        folder: Path,
        index: EmbeddingIndex,
        split: str,
        batch_size: int,
        order: int | None,
        place: tuple[int, int] = (0, 1),
    ) -> None:
        self._folder = folder
        self._index = index
        self._shards = index.of(split)
        self._batch_size = batch_size
        self._order = order
        self._place = place

    def __len__(self) -> int:
        return sum(-(-shard.tokens // self._batch_size) for shard in self._shards)

    def __iter__(self) -> Iterator[Batch]:
        generator = None
        shards = self._shards
        if self._order is not None:
            generator = torch.Generator().manual_seed(self._order)
            places = torch.randperm(len(shards), generator=generator)
            shards = [shards[place] for place in places.tolist()]
        rank, processes = self._place
        for shard in shards:
            rows = torch.arange(shard.tokens)
            if generator is not None:
                rows = torch.randperm(shard.tokens, generator=generator)
            whole = rows.split(self._batch_size)
            mine = [chosen[rank::processes] for chosen in whole]
            embeddings, labels = read_shard(self._folder, self._index, shard, rows=torch.cat(mine))
            sizes = [len(chosen) for chosen in mine]
            shares = zip(embeddings.split(sizes), labels.split(sizes), whole, strict=True)
            for states, judged, chosen in shares:
                yield Batch(states.float(), judged.float(), len(chosen) / processes)


def read_shard(
    folder: Path,
    index: EmbeddingIndex,
    shard: Shard,
    layer: int | None = None,
    rows: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Reads one shard's embeddings (tokens, layers, hidden), as stored, and labels (tokens,).

    Args:
        layer: Read this layer alone; the middle axis is then 1 long.
        rows: Read these rows (tokens,) alone, in this order; None: all, as stored.
    """
    layers = range(index.layers) if layer is None else [layer]
    with safe_open(folder / shard.file, "pt") as file:
        labels = file.get_tensor("labels")
        chosen = torch.arange(len(labels)) if rows is None else rows
        states = torch.empty(len(chosen), len(layers), index.hidden_size, dtype=DTYPES[index.dtype])
        # Rows go from the mapped file to their place: there is never a second copy of the shard.
        for place, number in enumerate(layers):
            torch.index_select(file.get_tensor(f"layer.{number}"), 0, chosen, out=states[:, place])
        return states, labels[chosen]


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
        place = (0, 1)
        if self.trainer is not None:
            place = (self.trainer.global_rank, self.trainer.world_size)
        batches = ShardBatches(self.folder, self.index, split, batch_size, order, place)
        return DataLoader(batches, batch_size=None)
