"""``inference=vllm``: the same court and nearly the same embeddings as by transformers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

STAGES = "stages=[prompts,mine,annotate,dataset,embed]"
SMALL = [
    "data.sources.word.count=80",
    "data.sources.word_eval.count=2",
    "data.sources.code.count=2",
    "data.sources.choice.count=2",
    "mine=one_small",
    "mine.max_new_tokens=160",
    "annotate=rollout",
    "+annotate.options.max_new_tokens=160",
    "tracking=none",
    "launch.threads=1",
]
VLLM = [
    "inference=vllm",
    "inference.memory=0.15",
    "+inference.arguments={max_model_len: 512, enforce_eager: true,"
    " distributed_executor_backend: uni}",
]
ROUNDING = 2**-10
"""Of a state: one unit in the last place of the float16 that it is stored as, at most."""
NATS = 1e-3
"""Of a surprisal."""


def run(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipelines.run", "+exp=quickstart", STAGES, *SMALL, *more,
         f"artifacts_dir={folder / 'artifacts'}", f"output_dir={folder / 'outputs'}"],
        env=os.environ, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The artifacts of the two engines' runs."""
    folders = []
    for name, more in (("transformers", []), ("vllm", VLLM)):
        folder = tmp_path_factory.mktemp(name)
        done = run(folder, *more)
        assert done.returncode == 0, done.stderr[-3000:]
        folders.append(folder / "artifacts")
    return folders[0], folders[1]


def only(store: Path, stage: str) -> Path:
    (folder,) = (store / stage).iterdir()
    return folder


def test_both_write_the_same_greedy_answers(both: tuple[Path, Path]) -> None:
    ours, theirs = (only(store, "mine") for store in both)
    files = sorted(path.name for path in ours.glob("answers-*.jsonl"))
    assert len(files) == 2, "the draft's and the target's"
    for name in files:
        assert (theirs / name).read_text() == (ours / name).read_text()
    assert theirs.name != ours.name, "another engine is another key"


def test_rollouts_put_mistakes_at_the_same_tokens(both: tuple[Path, Path]) -> None:
    ours, theirs = (json.loads((only(store, "annotate") / "statistics.json").read_text())
                    for store in both)  # fmt: skip
    assert ours == theirs
    assert ours["tuples"] > 20


def test_embeddings_agree_within_the_stated_tolerance(both: tuple[Path, Path]) -> None:
    ours, theirs = (only(store, "embed") for store in both)
    shards = sorted(path.name for path in ours.glob("*.safetensors"))
    assert shards == sorted(path.name for path in theirs.glob("*.safetensors"))
    tokens = 0
    for name in shards:
        a, b = load_file(ours / name), load_file(theirs / name)
        assert a.keys() == b.keys()
        for tensor, expected in a.items():
            found = b[tensor]
            if tensor.startswith("layer."):
                gap = (found.float() - expected.float()).abs()
                assert (gap <= ROUNDING * expected.float().abs() + 1e-3).all(), tensor
            elif tensor == "surprisal":
                assert (found - expected).abs().max() <= NATS
            else:
                assert torch.equal(found, expected), tensor
        tokens += len(a["labels"])
    assert tokens > 2000


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (["inference=vllm", "inference.engine=triton"], "inference.engine: unknown value 'triton'"),
        (["inference=vllm", "inference.memory=1.5"], "inference.memory: 1.5 is no share"),
        (["+inference.arguments={quantization: fp8}"], "inference.arguments: are vLLM's"),
    ],
)
def test_what_cannot_be_is_said_before_work(tmp_path: Path, more: Any, line: str) -> None:
    done = run(tmp_path, *more)
    assert done.returncode == 2
    assert line in done.stderr
    assert not (tmp_path / "outputs").exists()
