"""Real multiruns as processes, held where a test wants them by the lock of an artifact."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from pipelines.composition import CONF, typed_config
from pipelines.config import register_schemas
from pipelines.graph import discover_stages, stages_of_pipeline
from pipelines.plan import plan_keys
from pipelines.store import ArtifactStore

PATIENCE_SECONDS = 240
SMALL = (
    "+exp=quickstart",
    "pair=micro_small",
    "tracking=none",
    "stages=[prompts]",
    "data.sources.word.count=20",
)


class Workplace:
    """A folder with a store and outputs, in which commands are given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = ArtifactStore(folder / "artifacts")
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(CONF.parent),
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
        }
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """``python -m pipelines.run`` with small settings."""
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.run", *arguments, *SMALL],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def kill(self, process: subprocess.Popen[str]) -> None:
        """Kills the command alone, as the system does when memory is short."""
        process.send_signal(signal.SIGKILL)
        process.communicate()

    def end_all(self) -> None:
        for process in self._started:
            if process.poll() is None:
                self.kill(process)

    @property
    def sweep(self) -> Path:
        """The folder of the only multirun."""
        (folder,) = (self.folder / "outputs" / "quickstart").glob("multirun-*")
        return folder

    def job(self, number: int) -> dict[str, Any]:
        return dict(json.loads((self.sweep / str(number) / "summary.json").read_text()))

    def log(self, number: int) -> str:
        path = self.sweep / str(number) / "log.txt"
        return path.read_text() if path.exists() else ""

    @contextmanager
    def held(self, *settings: str) -> Iterator[None]:
        """Inside, another process is at the prompts of runs with these settings."""
        register_schemas()
        with ExitStack() as locks, initialize_config_dir(str(CONF), version_base="1.3"):
            for one in settings:
                config = typed_config(compose("config", [*SMALL, one]))
                order = stages_of_pipeline(config.pipeline, discover_stages())
                key = plan_keys(config, order)["prompts"]
                locks.enter_context(self.store.writer("prompts", key))
            yield


def wait_until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


@pytest.fixture
def workplace(tmp_path: Path) -> Iterator[Workplace]:
    place = Workplace(tmp_path)
    yield place
    place.end_all()
