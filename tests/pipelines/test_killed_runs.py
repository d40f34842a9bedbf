"""A quickstart that is killed in every stage ends in the artifacts of an undisturbed one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
STAGES = (
    "prompts",
    "mine",
    "annotate",
    "dataset",
    "embed",
    "train",
    "calibrate",
    "decode",
    "speed",
    "evaluate",
    "report",
)
PATIENCE_SECONDS = 600
SMALL = (
    "pair=micro_small",
    "tracking=none",
    "data.sources.word.count=140",
    "data.sources.word_eval.count=3",
    "data.sources.code.count=2",
    "data.sources.choice.count=2",
    "mine.minimum_tuples=20",
    "mine.shard_size=32",
    "mine.drafters={draft: {model: draft}}",
    "embed.shard_tokens=2048",
    "engine=eager",
    "engine.shard_size=2",
    "speed.prompts=2",
    "speed.shard_size=1",
    "judge.max_epochs=6",
)


def start(folder: Path) -> subprocess.Popen[bytes]:
    command = [
        *(sys.executable, "-m", "pipelines.run", "+exp=quickstart", *SMALL),
        *(f"artifacts_dir={folder / 'artifacts'}", f"output_dir={folder / 'outputs'}"),
    ]
    with (folder.parent / f"{folder.name}.log").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def kill_in(stage: str, folder: Path) -> bool:
    """Starts the run and kills its whole group once ``stage`` works; False if it was over."""
    process = start(folder)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if any((folder / "artifacts" / ".work" / stage).glob("*/*")):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return any((folder / "artifacts" / ".work" / stage).glob("*"))
        time.sleep(0.002)
    assert process.poll() is not None, f"no sign of {stage} within {PATIENCE_SECONDS} s"
    return False


def finish(process: subprocess.Popen[bytes], folder: Path) -> None:
    status = process.wait(PATIENCE_SECONDS)
    assert status == 0, (folder.parent / f"{folder.name}.log").read_text()


def contents(folder: Path) -> dict[str, Any]:
    """Stage and key of every artifact, with the hash of every file that holds no timing."""
    found: dict[str, Any] = {}
    for path in sorted(folder.glob("artifacts/*/*/manifest.json")):
        manifest = json.loads(path.read_text())
        found[f"{manifest['stage']}/{manifest['key']}"] = {
            name: None if file["volatile"] else file["sha256"]
            for name, file in manifest["files"].items()
        }
    return found


@pytest.mark.slow
def test_a_run_killed_in_every_stage_ends_in_the_artifacts_of_an_undisturbed_one(
    tmp_path: Path,
) -> None:
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    for folder in (undisturbed, disturbed):
        folder.mkdir()
    reference = start(undisturbed)
    killed = [stage for stage in STAGES if kill_in(stage, disturbed)]
    finish(start(disturbed), disturbed)
    finish(reference, undisturbed)
    assert set(killed) >= {"mine", "embed", "train", "decode", "speed"}
    assert len(contents(undisturbed)) == len(STAGES)
    assert contents(disturbed) == contents(undisturbed)
