"""A made-up finished run: its folder, and the store that its artifacts are in."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evals.decoders import DECODERS
from pipelines.manifest import Manifest
from pipelines.report.material import read_material
from pipelines.report.summary import summarise
from tests.report.conftest import IDENTITY, LENGTH, PLAIN, Scenario, write_artifacts

SETTINGS: dict[str, Any] = {
    "exp": "quickstart",
    "pair": "micro",
    "stand_in": "",
    "speed_pair": None,
    "speed_stand_in": None,
    "headline": "word",
    "draft_length": LENGTH,
    "temperature": 0.0,
    "decoders": list(DECODERS),
    "rules": {},
}


@dataclass(frozen=True)
class FinishedRun:
    """A run and its store below ``root``."""

    root: Path

    @property
    def folder(self) -> Path:
        """What the run has left for people."""
        return self.root / "outputs" / "quickstart" / "now"

    @property
    def store(self) -> Path:
        """The artifacts, which the configuration names by a relative path."""
        return self.root / "artifacts"

    def artifact(self, stage: str) -> Path:
        """The folder of a stage's only artifact."""
        [folder] = (self.store / stage).iterdir()
        return folder

    def file(self, stage: str, name: str) -> Path:
        """One file of an artifact."""
        return self.artifact(stage) / name

    def copied_to(self, root: Path) -> FinishedRun:
        """The same below another folder, for a test to damage."""
        shutil.copytree(self.root, root, dirs_exist_ok=True)
        return FinishedRun(root)


def finished_run(root: Path, scenario: Scenario = PLAIN) -> FinishedRun:
    """Writes ``outputs/quickstart/now`` and ``artifacts`` below ``root``."""
    store = root / "artifacts"
    artifacts = {}
    for stage, folder in write_artifacts(root / "made", scenario).items():
        manifest = Manifest.read(folder)
        files = {path.name: path for path in folder.iterdir() if path.name != "manifest.json"}
        row = manifest.to_json() | {
            "files": {
                name: {"bytes": path.stat().st_size, "sha256": "0" * 64, "volatile": False}
                for name, path in files.items()
                if path.is_file()
            }
        }
        (folder / "manifest.json").write_text(json.dumps(row))
        artifacts[stage] = store / stage / manifest.key
        artifacts[stage].parent.mkdir(parents=True)
        folder.rename(artifacts[stage])
    artifacts["report"] = _report(store, artifacts)
    material = read_material(IDENTITY, {s: f for s, f in artifacts.items() if s != "report"})
    folder = root / "outputs" / "quickstart" / "now"
    folder.mkdir(parents=True)
    stages = {
        stage: {"key": path.name, "cached": stage == "mine", "seconds": 1.0}
        for stage, path in artifacts.items()
    }
    run = {"seconds": 61.2, "peak_memory": 2_400_000_000}
    summary = summarise(material) | {"stages": stages, "run": run}
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "config.yaml").write_text("exp: quickstart\nartifacts_dir: artifacts\n")
    (folder / "overrides.yaml").write_text("- +exp=quickstart\n- judge.lr=3e-3\n")
    return FinishedRun(root)


def _report(store: Path, artifacts: dict[str, Path]) -> Path:
    folder = store / "report" / ("e" * 64)
    folder.mkdir(parents=True)
    inputs = {stage: path.name for stage, path in artifacts.items()}
    origin: dict[str, Any] = {"cpus": 2, "platform": "Linux"}
    manifest = Manifest("report", "e" * 64, 5, SETTINGS, inputs, {}, {}, {}, origin)
    (folder / "manifest.json").write_text(json.dumps(asdict(manifest)))
    return folder
