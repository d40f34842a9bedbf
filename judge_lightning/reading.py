"""Which tokens of a folder of embeddings a kind of heads reads, and what of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import safe_open
from torch import Tensor

from judge_lightning.embeddings import EmbeddingIndex, Shard
from judge_lightning.errors import UserError


@dataclass(frozen=True)
class Reading:
    """What heads want of a shard.

    Attributes:
        layers: Of the target, ascending; None for all.
        draft: Whether the draft's states are read.
        mismatches_only: Whether tokens that are the target's argmax are left out.
    """

    layers: tuple[int, ...] | None = None
    draft: bool = False
    mismatches_only: bool = False

    def counted(self, index: EmbeddingIndex) -> EmbeddingIndex:
        """The index with the counts of the tokens that are read.

        Raises:
            UserError: The folder was written without the draft.
        """
        if (self.draft or self.mismatches_only) and not index.draft_hidden_size:
            raise UserError(
                "embed",
                "holds no states of the draft, which the head reads",
                "run the stage embed again with this judge.head",
            )
        if not self.mismatches_only:
            return index
        shards = [
            replace(shard, tokens=shard.mismatches, mistakes=shard.mismatched_mistakes)
            for shard in index.shards
        ]
        return replace(index, shards=tuple(shards))


class MappedTokens(NamedTuple):
    """A shard as it lies in the file: its ``layers``, each (tokens, hidden), ``labels`` (tokens,)
    int8 and ``draft`` (tokens, draft's hidden); ``rows`` (n,) long are those to be read."""

    layers: list[Tensor]
    labels: Tensor
    draft: Tensor | None
    rows: Tensor


class Tokens(NamedTuple):
    """``embeddings`` (tokens, layers, hidden) and ``draft`` (tokens, draft's hidden), as stored,
    and ``labels`` (tokens,) int8."""

    embeddings: Tensor
    labels: Tensor
    draft: Tensor | None


def map_tokens(folder: Path, index: EmbeddingIndex, shard: Shard, reading: Reading) -> MappedTokens:
    """Maps what is wanted of one shard from its file: only what is used is read."""
    numbers = range(index.layers) if reading.layers is None else reading.layers
    with safe_open(folder / shard.file, "pt") as file:
        layers = [file.get_tensor(f"layer.{number}") for number in numbers]
        draft = file.get_tensor("draft") if reading.draft else None
        labels = file.get_tensor("labels")
        rows = torch.arange(len(labels))
        if reading.mismatches_only:
            rows = rows[file.get_tensor("mismatch")]
        return MappedTokens(layers, labels, draft, rows)


def read_tokens(folder: Path, index: EmbeddingIndex, shard: Shard, reading: Reading) -> Tokens:
    """Reads one shard's tokens, as far as the reading wants them."""
    layers, labels, draft, rows = map_tokens(folder, index, shard, reading)
    states = torch.stack([layer[rows] for layer in layers], dim=1)
    return Tokens(states, labels[rows], None if draft is None else draft[rows])


def kept_rows(file: safe_open, reading: Reading) -> Tensor | slice:
    """What an open shard's tensors are indexed with to get the tokens that are read."""
    return file.get_tensor("mismatch") if reading.mismatches_only else slice(None)


ALL = Reading()
