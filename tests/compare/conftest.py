"""Made-up runs: output folders, and the artifacts that their answers are in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from evals.generations import Generation, ShardFiles
from pipelines.compare.runs import ComparedRun, read_runs
from pipelines.manifest import Manifest
from tests.sweep.conftest import summary_of

Key = str


@dataclass(frozen=True)
class MadeRun:
    """What a made-up run is: settings, summary, stages' keys, and who got which prompt wrong."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=summary_of)
    keys: Mapping[str, Key] = field(default_factory=lambda: {"mine": "a" * 64, "decode": "b" * 64})
    stage_settings: Mapping[str, Any] = field(default_factory=dict)
    version: int = 1
    wrong: Mapping[str, Iterable[int]] = field(default_factory=dict)
    prompts: Iterable[int] = range(50)


MakeRun = Callable[..., Path]


@pytest.fixture
def make_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeRun:
    """Writes a run and its artifacts; returns its folder, below the current one."""
    monkeypatch.chdir(tmp_path)

    def make(name: str, **what: Any) -> Path:
        run = MadeRun(**what)
        folder = Path("outputs/quickstart") / name
        folder.mkdir(parents=True)
        config = OmegaConf.create({"exp": "quickstart", "artifacts_dir": "artifacts"})
        for setting, value in run.settings.items():
            OmegaConf.update(config, setting, value)
        (folder / "config.yaml").write_text(OmegaConf.to_yaml(config))
        stages = {stage: {"key": key, "cached": stage == "mine"} for stage, key in run.keys.items()}
        (folder / "summary.json").write_text(
            json.dumps({"schema": 1, **run.summary, "stages": stages})
        )
        for stage, key in run.keys.items():
            _write_artifact(tmp_path / "artifacts" / stage / key, stage, run)
        return folder

    return make


def runs_of(*folders: Path) -> list[ComparedRun]:
    return read_runs(list(folders))


def _write_artifact(folder: Path, stage: str, run: MadeRun) -> None:
    if folder.is_dir():
        return
    folder.mkdir(parents=True)
    manifest = Manifest(
        stage=stage,
        key=folder.name,
        version=run.version,
        settings=dict(run.stage_settings),
        inputs={},
        files={},
        metrics={},
        timings={},
        origin={"git_commit": "c" * 40, "cpus": 2, "packages": {"torch": "2"}},
    )
    (folder / "manifest.json").write_text(json.dumps(manifest.to_json()))
    if stage == "decode":
        decoders = ("target", "judge")
        rows = [_answer(name, index, run) for name in decoders for index in run.prompts]
        ShardFiles(folder, 0).write(decoders, rows, [])


def _answer(decoder: str, index: int, run: MadeRun) -> Generation:
    right = index not in set(run.wrong.get(decoder, ()))
    ids = [1, 2, index if right else 0]
    return Generation(f"word-{index}", "word", decoder, "text", ids, True, right, None)
