"""Embeddings of the frozen target at every labelled token, all layers from one forward pass.

They lie in safetensors shards with an index (``judge_lightning.embedding_shards`` writes them).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from judge_lightning.court.records import IGNORED, LabelledTuple
from judge_lightning.errors import UserError
from judge_lightning.state_readers import Asked, StateReader

INDEX_FILE = "index.json"
DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}
_FORMAT = 2


@dataclass(frozen=True)
class Shard:
    """One file: ``tokens`` labelled tokens of ``tuples`` tuples, all of one split.

    ``mismatches`` of them are not the target's argmax, ``mismatched_mistakes`` of these are
    mistakes; both are 0 where nobody looked (``EmbeddingIndex.draft_hidden_size``).
    """

    file: str
    split: str
    tuples: int
    tokens: int
    mistakes: int
    mismatches: int = 0
    mismatched_mistakes: int = 0


@dataclass(frozen=True)
class EmbeddingIndex:
    """What the shards of a folder hold. Layers are 0-based block indices, 0..layers-1.

    A shard's tensors: ``layer.<i>`` (tokens, hidden) in ``dtype``, ``labels`` (tokens,) int8,
    ``tuple`` (tokens,) int32, a running number over all splits, ``answer`` (tokens,) int8, 0 for
    the tuple's correct answer and 1 for its wrong one, ``position`` (tokens,) int32, the token's
    place in its answer, and ``prompt`` (tokens,) int64, ``prompt_number`` of the tuple's prompt:
    tokens of one prompt are not independent of each other, so what is promised counts prompts.
    ``surprisal`` (tokens,) float32 is -log p of the token under the target, in nats; a target that
    does more to its logits than its output layer has none.

    Written with a draft, whose states are ``draft_hidden_size`` wide and whose fingerprint is
    ``draft``, a shard also has ``draft`` (tokens, draft's hidden), the output of the draft's last
    block at the token's own position, and ``mismatch`` (tokens,) bool, whether the token is not
    the target's argmax.
    """

    layers: int
    hidden_size: int
    dtype: str
    target: str
    shards: tuple[Shard, ...]
    draft_hidden_size: int = 0
    draft: str = ""

    def of(self, split: str) -> list[Shard]:
        """The shards of one split."""
        return [shard for shard in self.shards if shard.split == split]

    def tokens(self, split: str) -> int:
        """How many labelled tokens the split has."""
        return sum(shard.tokens for shard in self.of(split))

    def mistakes(self, split: str) -> int:
        """How many of them are tokens of a mistake."""
        return sum(shard.mistakes for shard in self.of(split))

    def save(self, folder: Path) -> None:
        """Writes ``index.json``."""
        text = json.dumps({"format": _FORMAT, **asdict(self)}, indent=1, sort_keys=True)
        (folder / INDEX_FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> EmbeddingIndex:
        """Reads ``index.json``.

        Raises:
            UserError: It is missing or of another format.
        """
        path = folder / INDEX_FILE
        try:
            row: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if row.pop("format") != _FORMAT:
                raise ValueError("another format")
            shards = tuple(Shard(**shard) for shard in row.pop("shards"))
            return cls(**row, shards=shards)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                str(path), f"is no index of embeddings ({error})", "run the stage embed again"
            ) from error


@dataclass(frozen=True)
class _Sequence:
    """One answer behind its prompt, as the target reads it; ``prompt`` is its number."""

    ids: list[int]
    labels: list[int]
    prompt_length: int
    tuple_number: int
    answer: int
    prompt: int


def prompt_number(prompt_id: str) -> int:
    """A prompt's id as a number of 63 bits, the same everywhere."""
    digest = hashlib.sha256(prompt_id.encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


@dataclass(frozen=True)
class Embedder:
    """What a shard is embedded with.

    Attributes:
        reader: Reads the target's states, and the draft's where they are stored too.
        dtype: ``float16``, ``bfloat16`` or ``float32``, what the states are stored in.
    """

    reader: StateReader
    dtype: str

    def embed(self, first: int, group: Sequence[LabelledTuple]) -> dict[str, Tensor]:
        """The tensors of one shard, as ``EmbeddingIndex`` describes them.

        Args:
            first: The running number of the group's first tuple.

        Raises:
            UserError: A state is too large for the dtype.
        """
        dtype = DTYPES[self.dtype]
        sequences = [
            sequence
            for number, labelled in enumerate(group, start=first)
            for sequence in _sequences(labelled, number)
        ]
        offsets = _offsets(sequences)
        total = offsets.pop()
        width = self.reader.hidden_size
        tensors = {
            f"layer.{layer}": torch.empty(total, width, dtype=dtype)
            for layer in range(self.reader.layers)
        }
        tensors |= _token_facts(sequences)
        asked = [Asked(sequence.ids, _labelled_places(sequence)) for sequence in sequences]
        for place, found in self.reader.read(asked):
            into = slice(offsets[place], offsets[place] + len(asked[place].places))
            for layer, state in enumerate(found.layers):
                tensors[f"layer.{layer}"][into] = state.to(dtype).cpu()
            for name, values in found.beside.items():
                if name not in tensors:
                    kind = dtype if name == "draft" else values.dtype
                    tensors[name] = torch.empty(total, *values.shape[1:], dtype=kind)
                tensors[name][into] = values.to(tensors[name].dtype)
        _check_finite({n: state for n, state in tensors.items() if state.is_floating_point()})
        return tensors


def _sequences(labelled: LabelledTuple, number: int) -> Iterator[_Sequence]:
    prompt = prompt_number(labelled.prompt_id)
    answers = (
        (labelled.correct_ids, labelled.correct_labels),
        (labelled.wrong_ids, labelled.wrong_labels),
    )
    for answer, (answer_ids, labels) in enumerate(answers):
        if all(label == IGNORED for label in labels):
            continue  # A guarded continuation has no correct answer beside it.
        ids = [*labelled.prompt_ids, *answer_ids]
        yield _Sequence(ids, labels, len(labelled.prompt_ids), number, answer, prompt)


def _labelled_places(sequence: _Sequence) -> list[int]:
    """Places in prompt + answer of the tokens with a label."""
    return [
        sequence.prompt_length + position
        for position, label in enumerate(sequence.labels)
        if label != IGNORED
    ]


def _offsets(sequences: Sequence[_Sequence]) -> list[int]:
    offsets = [0]
    for sequence in sequences:
        offsets.append(offsets[-1] + len(_labelled_places(sequence)))
    return offsets


def _token_facts(sequences: Sequence[_Sequence]) -> dict[str, Tensor]:
    rows = [
        (label, sequence.tuple_number, sequence.answer, position, sequence.prompt)
        for sequence in sequences
        for position, label in enumerate(sequence.labels)
        if label != IGNORED
    ]
    labels, numbers, answers, positions, prompts = zip(*rows, strict=True)
    return {
        "labels": torch.tensor(labels, dtype=torch.int8),
        "tuple": torch.tensor(numbers, dtype=torch.int32),
        "answer": torch.tensor(answers, dtype=torch.int8),
        "position": torch.tensor(positions, dtype=torch.int32),
        "prompt": torch.tensor(prompts, dtype=torch.int64),
    }


def _check_finite(states: dict[str, Tensor]) -> None:
    for name, state in states.items():
        if not torch.isfinite(state).all():
            kind = str(state.dtype).removeprefix("torch.")
            raise UserError(
                "embed.dtype",
                f"a hidden state at {name} is too large for {kind}",
                "choose bfloat16 or float32",
            )
