"""The target's embeddings of a split's labelled tokens, at one layer, in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from judge_lightning.embeddings import EmbeddingIndex
from judge_lightning.errors import UserError
from judge_lightning.models.hidden_states import resolve_layer

_FACTS = ("labels", "tuple", "answer", "position", "prompt")


@dataclass(frozen=True)
class TokenStates:
    """One row per labelled token, in the order of the court's tuples.

    Attributes:
        layer: The block whose outputs these are (0-based).
        embeddings: (tokens, hidden), in the dtype that they are stored in.
        labels: (tokens,) int8, 1 correct and 0 a mistake.
        tuples: (tokens,) int32, the place of the token's tuple in ``Run.tuples()``.
        answers: (tokens,) int8, 0 for the tuple's correct answer and 1 for its wrong one.
        positions: (tokens,) int32, the token's place in its answer.
        prompts: (tokens,) int64, ``embeddings.prompt_number`` of the tuple's prompt.
        surprisals: (tokens,) float32, -log p under the target in nats; None where the target
            does more to its logits than its output layer.
    """

    layer: int
    embeddings: Tensor
    labels: Tensor
    tuples: Tensor
    answers: Tensor
    positions: Tensor
    prompts: Tensor
    surprisals: Tensor | None

    def __len__(self) -> int:
        return len(self.labels)


def read_token_states(folder: Path, split: str, layer: int) -> TokenStates:
    """Reads one layer of one split; of the other layers nothing is read from the disk.

    Args:
        folder: The embed stage's artifact.
        layer: 0-based, or negative from the last one on.

    Raises:
        UserError: The split has no tokens, the target no such layer, or a shard is damaged.
    """
    index = EmbeddingIndex.load(folder)
    layer = resolve_layer(index.layers, layer)
    shards = index.of(split)
    if not shards:
        known = ", ".join(dict.fromkeys(shard.split for shard in index.shards))
        raise UserError("split", f"there is no embedding of {split!r}", f"use one of {known}")
    parts: dict[str, list[Tensor]] = {}
    for shard in shards:
        path = folder / shard.file
        try:
            with safe_open(path, "pt") as file:
                extra = ("surprisal",) if "surprisal" in file.keys() else ()  # noqa: SIM118
                for name in (f"layer.{layer}", *_FACTS, *extra):
                    parts.setdefault(name, []).append(file.get_tensor(name))
        except (OSError, SafetensorError) as error:
            raise UserError(
                str(path), f"cannot be read ({error})", "run the stage embed again"
            ) from error
    joined = {name: torch.cat(tensors) for name, tensors in parts.items()}
    return TokenStates(
        layer=layer,
        embeddings=joined[f"layer.{layer}"],
        labels=joined["labels"],
        tuples=joined["tuple"],
        answers=joined["answer"],
        positions=joined["position"],
        prompts=joined["prompt"],
        surprisals=joined.get("surprisal"),
    )
