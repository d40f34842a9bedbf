"""Real vLLM on the embedded pair, on the CPU: ``make test-vllm`` runs these in an environment of
their own. One engine in this process serves most tests; what must stand alone gets a process.

``judge/`` is the judge of ``+exp=quickstart`` (artifact calibrate/c0e54ae1, 2026-11-30): the
embedded target's, which its fingerprint holds it to.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from judge_lightning.micro.paths import asset_path
from judge_lightning.micro.world import Problem, problem

JUDGE = Path(__file__).parent / "judge"
DRAFT_LENGTH = 16
MAX_NEW_TOKENS = 200

VLLM_THERE = find_spec("vllm") is not None

if VLLM_THERE:
    # Before it is imported. Its threads are the Makefile's matter: torch is imported by now.
    os.environ.update(
        HF_HUB_OFFLINE="1",
        VLLM_CPU_KVCACHE_SPACE="1",
        VLLM_CPU_OMP_THREADS_BIND="nobind",
        VLLM_ENABLE_V1_MULTIPROCESSING="0",
        VLLM_LOGGING_LEVEL="ERROR",
        VLLM_NO_USAGE_STATS="1",
    )
    os.environ.pop("JUDGE_LIGHTNING_JUDGE", None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Says why these tests do not run where vLLM is not."""
    if VLLM_THERE:
        return
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="needs vLLM: make test-vllm"))


ENGINE: dict[str, Any] = {
    "dtype": "float32",
    "enforce_eager": True,
    "gpu_memory_utilization": 0.1,
    "max_model_len": 512,
    "max_num_seqs": 32,
    # Fewer tokens than the tests' prompts have together: they are prefilled in chunks.
    "max_num_batched_tokens": 1024,
    "distributed_executor_backend": "uni",
    "disable_log_stats": False,
}


def speculation(draft: str = "draft") -> dict[str, Any]:
    """vLLM's speculative config for an embedded draft."""
    return {
        "method": "draft_model",
        "model": str(asset_path(draft)),
        "num_speculative_tokens": DRAFT_LENGTH,
    }


@pytest.fixture(scope="session")
def problems() -> list[Problem]:
    """Word problems that no embedded model was trained on."""
    return [problem("word", 5_000_000 + index, "court") for index in range(64)]


@pytest.fixture(scope="session")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the engine writes its verdicts."""
    return tmp_path_factory.mktemp("vllm") / "verdicts.jsonl"


@pytest.fixture(scope="session")
def engine(record: Path) -> Iterator[Any]:
    """vLLM in this process, decoding with the judge."""
    from vllm import LLM

    settings = {"judge": {"path": str(JUDGE), "record": str(record)}}
    yield LLM(
        str(asset_path("target")),
        speculative_config=speculation(),
        additional_config=settings,
        **ENGINE,
    )


Answer = Callable[..., list[Any]]


@pytest.fixture(scope="session")
def answer(engine: Any) -> Answer:
    """Answers problems: ``answer(problems, exact=True, temperature=1.0, ...)``."""

    def ask(
        problems: Sequence[Problem],
        extra: dict[str, Any] | Sequence[dict[str, Any]] | None = None,
        **sampling: Any,
    ) -> list[Any]:
        from vllm import SamplingParams

        sampling = {"temperature": 0.0, "max_tokens": MAX_NEW_TOKENS, **sampling}
        extras = [extra] * len(problems) if extra is None or isinstance(extra, dict) else extra
        outputs = engine.chat(
            [[{"role": "user", "content": one.text}] for one in problems],
            [SamplingParams(extra_args=own, **sampling) for own in extras],
            use_tqdm=False,
        )
        return [output.outputs[0] for output in outputs]

    return ask


@pytest.fixture(scope="session")
def plain(problems: list[Problem], tmp_path_factory: pytest.TempPathFactory) -> list[list[int]]:
    """Token ids of vLLM without the plugin and without speculation: its own greedy answers."""
    file = tmp_path_factory.mktemp("plain") / "answers.json"
    asked = {
        "model": str(asset_path("target")),
        "prompts": [one.text for one in problems],
        "max_tokens": MAX_NEW_TOKENS,
        "engine": ENGINE,
        "file": str(file),
    }
    in_process([sys.executable, str(Path(__file__).with_name("plain_vllm.py")), json.dumps(asked)],
               VLLM_PLUGINS="")  # fmt: skip
    answers: list[list[int]] = json.loads(file.read_text())
    return answers


def in_process(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a command, which must succeed."""
    done = subprocess.run(
        command,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done
