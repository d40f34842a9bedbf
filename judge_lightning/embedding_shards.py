"""Writing the embeddings of all tuples, shard by shard, whoever embeds them.

A shard holds whole tuples of one split, so what is in memory is one shard, however many tuples
there are, and a shard that is there already is never computed again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from judge_lightning.court.records import IGNORED, LabelledTuple
from judge_lightning.crew import Alone, Crew, beside
from judge_lightning.embeddings import Embedder, EmbeddingIndex, Shard
from judge_lightning.errors import UserError
from judge_lightning.state_readers import LoadedModel

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from judge_lightning.mismatches import DraftModel


def plan_shards(
    tuples: Iterable[LabelledTuple], shard_tokens: int
) -> Iterator[tuple[int, list[LabelledTuple]]]:
    """Groups consecutive tuples of one split until they hold ``shard_tokens`` labelled tokens.

    Yields the running number of the group's first tuple, and the group. The same tuples always
    give the same groups.
    """
    group: list[LabelledTuple] = []
    tokens = first = 0
    for number, labelled in enumerate(tuples):
        size = _labelled_tokens(labelled)
        full = tokens + size > shard_tokens
        if group and (full or labelled.split != group[0].split):
            yield first, group
            group, tokens, first = [], 0, number
        group.append(labelled)
        tokens += size
    if group:
        yield first, group


@dataclass(frozen=True)
class EmbeddingShard:
    """A shard that is to be embedded: ``group``'s first tuple has the running number ``first``."""

    path: Path
    first: int
    group: list[LabelledTuple]

    @property
    def name(self) -> str:
        """``shard-<number>``."""
        return self.path.stem

    def do(self, bench: Embedder) -> Iterator[None]:
        """Embeds and writes it; yields once."""
        _write_atomically(self.path, bench.embed(self.first, self.group))
        yield


def embed_tuples(
    model: PreTrainedModel,
    tuples: Iterable[LabelledTuple],
    folder: Path,
    *,
    dtype: str,
    shard_tokens: int,
    batch_size: int,
    target: str = "",
    draft: DraftModel | None = None,
) -> Iterator[Shard]:
    """``write_embeddings`` with models that are loaded, in this process."""
    return write_embeddings(
        lambda: Embedder(LoadedModel(model, batch_size, draft), dtype),
        tuples,
        folder,
        dtype=dtype,
        shard_tokens=shard_tokens,
        target=target,
        draft=None if draft is None else draft.fingerprint,
    )


def write_embeddings(
    open_embedder: Callable[[], Embedder],
    tuples: Iterable[LabelledTuple],
    folder: Path,
    *,
    dtype: str,
    shard_tokens: int,
    target: str = "",
    draft: str | None = None,
    crew: Crew | None = None,
) -> Iterator[Shard]:
    """Writes the shards of all tuples and yields each once it is complete.

    Shards that the folder already holds are not computed again. The index is written after the
    last one.

    Args:
        open_embedder: Loads the models; called where a shard is missing.
        tuples: Ordered by split; read once, as a stream.
        dtype: What the embedder stores.
        shard_tokens: Labelled tokens per shard; a shard of all layers is held in memory.
        target: The target's fingerprint, for the index.
        draft: The fingerprint of the embedder's draft; None where it has none.
        crew: Who embeds the shards; None: this process.

    Raises:
        UserError: A state is too large for the dtype, or there are no tuples.
    """
    desk = _ShardDesk(folder, drafted=draft is not None)
    missing = desk.missing(plan_shards(tuples, shard_tokens))
    for _ in (crew or Alone()).carry_out(open_embedder, missing):
        yield from desk.completed()
    yield from desk.completed()
    if not desk.shards:
        raise UserError("annotate", "gave no tuples to embed", "mine more prompts or samples")
    _index(folder, desk.shards, dtype, target, draft).save(folder)


@dataclass
class _ShardDesk:
    """Gives out the shards that are missing, and notices which are complete."""

    folder: Path
    drafted: bool
    shards: dict[str, Shard] = field(default_factory=dict)
    _waiting: dict[str, Shard] = field(default_factory=dict)

    def missing(
        self, groups: Iterable[tuple[int, list[LabelledTuple]]]
    ) -> Iterator[EmbeddingShard]:
        for number, (first, group) in enumerate(groups):
            path = self.folder / f"shard-{number:05d}.safetensors"
            self._waiting[path.name] = _shard(path.name, group)
            if not path.exists():
                yield EmbeddingShard(path, first, group)

    def completed(self) -> Iterator[Shard]:
        for name in [name for name in self._waiting if (self.folder / name).exists()]:
            shard = self._waiting.pop(name)
            if self.drafted:
                shard = _with_mismatches(shard, self.folder / name)
            self.shards[name] = shard
            yield shard


def _index(
    folder: Path, shards: dict[str, Shard], dtype: str, target: str, draft: str | None
) -> EmbeddingIndex:
    """What a shard says about all: as many layers, as wide, with as wide a draft."""
    in_order = tuple(shards[name] for name in sorted(shards))
    with safe_open(folder / in_order[0].file, "pt") as file:
        widths = {name: file.get_slice(name).get_shape()[-1] for name in file.keys()}  # noqa: SIM118
    layers = sum(name.startswith("layer.") for name in widths)
    index = EmbeddingIndex(layers, int(widths["layer.0"]), dtype, target, in_order)
    if draft is None:
        return index
    return replace(index, draft_hidden_size=int(widths["draft"]), draft=draft)


def _shard(file: str, group: Sequence[LabelledTuple]) -> Shard:
    labels = [label for t in group for label in (*t.correct_labels, *t.wrong_labels)]
    return Shard(
        file=file,
        split=group[0].split,
        tuples=len(group),
        tokens=sum(label != IGNORED for label in labels),
        mistakes=sum(label == 0 for label in labels),
    )


def _with_mismatches(shard: Shard, path: Path) -> Shard:
    with safe_open(path, "pt") as file:
        labels = file.get_tensor("labels")[file.get_tensor("mismatch")]
    mistakes = int((labels == 0).sum())
    return replace(shard, mismatches=len(labels), mismatched_mistakes=mistakes)


def _labelled_tokens(labelled: LabelledTuple) -> int:
    labels = (*labelled.correct_labels, *labelled.wrong_labels)
    return sum(label != IGNORED for label in labels)


def _write_atomically(path: Path, tensors: dict[str, Tensor]) -> None:
    unfinished = beside(path)
    save_file(tensors, unfinished)
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    unfinished.replace(path)
