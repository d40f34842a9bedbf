"""Embeddings with a known answer: one layer knows the label, the others are noise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from judge_lightning.embeddings import EmbeddingIndex, Shard

LAYERS, HIDDEN = 3, 8
SPLITS = {"train": 3, "validation": 1, "calibration": 1}


def write_embeddings(
    folder: Path, *, tokens: int = 200, share: float = 0.2, layer: int = 1, seed: int = 0
) -> EmbeddingIndex:
    """Writes shards in which dimension 0 of ``layer`` is lower at mistakes.

    Every ten tokens are a tuple of a prompt of its own: five of its correct answer, five of its
    wrong one. The correct one may hold "mistakes" too, the tokens are drawn without regard to it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(seed)
    surprises = torch.Generator().manual_seed(seed + 1)
    shards = []
    for split, count in SPLITS.items():
        for _ in range(count):
            labels = (torch.rand(tokens, generator=generator) > share).to(torch.int8)
            tensors = {
                f"layer.{number}": 5 + torch.randn(tokens, HIDDEN, generator=generator)
                for number in range(LAYERS)
            }
            tensors[f"layer.{layer}"][:, 0] += 3.0 * (labels.float() - 0.5)
            tensors = {name: tensor.half() for name, tensor in tensors.items()}
            name = f"shard-{len(shards):05d}.safetensors"
            first = len(shards) * tokens
            places = torch.arange(first, first + tokens)
            tensors |= {
                "labels": labels,
                "tuple": (places // 10).int(),
                "answer": (places % 10 // 5).to(torch.int8),
                "position": (places % 5).int(),
                "prompt": places // 10 + 1000,
                "surprisal": torch.rand(tokens, generator=surprises).log().neg(),
            }
            save_file(tensors, folder / name)
            shards.append(Shard(name, split, 1, tokens, int((labels == 0).sum())))
    index = EmbeddingIndex(LAYERS, HIDDEN, "float16", "target", tuple(shards))
    index.save(folder)
    return index


@pytest.fixture
def make_embeddings() -> Callable[..., EmbeddingIndex]:
    """Writes a folder of embeddings of 3 layers and 8 dimensions."""
    return write_embeddings


@pytest.fixture
def embeddings(tmp_path: Path) -> Path:
    """A folder of embeddings in which layer 1 knows the label."""
    write_embeddings(tmp_path / "embeddings")
    return tmp_path / "embeddings"
