"""A tiny pipeline of three stages: it has the shape of the real one and costs nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pipelines import run
from pipelines.config import RunConfig
from pipelines.execution import StageResult, execute
from pipelines.manifest import Provenance
from pipelines.plan import Plan, make_plan
from pipelines.stage import Stage, StageContext
from pipelines.store import Artifact, ArtifactStore
from pipelines.tracking import RunTracker

SHARDS = 3

Publish = Callable[..., Artifact]


class Numbers(Stage):
    """Writes ``SHARDS`` shards, each once, and a volatile file."""

    name: ClassVar[str] = "numbers"

    def __init__(self) -> None:
        self.shards_written: list[str] = []
        self.fail_before: int | None = None

    def settings(self, config: RunConfig) -> dict[str, Any]:
        return {"seed": config.data.seed}

    def run(self, context: StageContext) -> None:
        for number in range(SHARDS):
            shard = context.work / f"shard-{number}.txt"
            if shard.exists():
                continue
            if number == self.fail_before:
                raise RuntimeError("the machine burns\nsecond line")
            shard.write_text(f"{context.config.data.seed + number}\n")
            self.shards_written.append(shard.name)
        (context.work / "seconds.txt").write_text("0.1")
        context.volatile.add("seconds.txt")
        context.recorder.metric("count", SHARDS)


class Total(Stage):
    """Adds up the numbers times the learning rate."""

    name: ClassVar[str] = "total"
    reads: ClassVar[tuple[str, ...]] = ("numbers",)

    def settings(self, config: RunConfig) -> dict[str, Any]:
        return {"lr": config.judge.lr}

    def run(self, context: StageContext) -> None:
        shards = sorted(context.inputs["numbers"].glob("shard-*.txt"))
        total = sum(int(shard.read_text()) for shard in shards)
        (context.work / "total.txt").write_text(str(total * context.config.judge.lr))
        for step in range(2):
            context.recorder.metric("loss", 1.0 - step, step)


class Report(Stage):
    """Reads both."""

    name: ClassVar[str] = "report"
    reads: ClassVar[tuple[str, ...]] = ("numbers", "total")

    def settings(self, config: RunConfig) -> dict[str, Any]:
        return {}

    def run(self, context: StageContext) -> None:
        (context.work / "terminal.txt").write_text("the table\n")
        page = "<html><!-- this run -->any run<!-- /this run --></html>"
        (context.work / "report.html").write_text(page)
        (context.work / "summary.json").write_text('{"judge": {"auroc": 0.5}, "exp": "other"}')


class TinyPipeline:
    """The stages, a store and a way to run them in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.numbers = Numbers()
        self.order: list[Stage] = [self.numbers, Total(), Report()]
        self.store = ArtifactStore(folder / "artifacts")
        self.config = RunConfig(
            exp="tiny", artifacts_dir=str(folder / "artifacts"), output_dir=str(folder / "outputs")
        )
        self.config.pair.name = "nothing"
        self.config.tracking.wandb_mode = "disabled"

    def plan(self) -> Plan:
        return make_plan(self.config, self.order, self.store)

    def run(self) -> list[StageResult]:
        results: list[StageResult] = []
        folder = self.folder / "run"
        folder.mkdir(exist_ok=True)
        with RunTracker(
            self.config.tracking, folder=folder, name="n", group="tiny", settings={}
        ) as tracker:
            execute(
                self.plan(),
                self.config,
                self.store,
                tracker,
                on_done=results.append,
                on_wait=lambda planned: None,
            )
        return results


@pytest.fixture
def tiny(tmp_path: Path) -> TinyPipeline:
    return TinyPipeline(tmp_path)


@pytest.fixture
def publish() -> Publish:
    """Publishes an artifact with the files that a ``content`` argument names."""

    def publish_now(
        store: ArtifactStore,
        stage: str,
        key: str,
        content: Mapping[str, str],
        inputs: Mapping[str, str] | None = None,
    ) -> Artifact:
        with store.writer(stage, key) as writer:
            if writer.finished is not None:
                return writer.finished
            for name, text in content.items():
                (writer.work / name).parent.mkdir(exist_ok=True)
                (writer.work / name).write_text(text)
            return writer.publish(Provenance(version=1, settings={"x": 1}, inputs=inputs or {}))

    return publish_now


@dataclass(frozen=True)
class Answer:
    status: int
    out: str
    err: str


Command = Callable[..., Answer]


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Command:
    """``python -m pipelines.run`` in this process, with its folders below ``tmp_path``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def call(*arguments: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["run.py", *arguments])
        with pytest.raises(SystemExit) as stopped:
            run.main()
        assert isinstance(stopped.value.code, int)
        return Answer(stopped.value.code, *capsys.readouterr())

    return call


@pytest.fixture
def tiny_command(command: Command, tiny: Any, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The same, with the tiny stages in place of the real ones."""
    stages = {stage.name: stage for stage in tiny.order}
    for module in ("pipelines.run", "pipelines.multirun.sweeping"):
        monkeypatch.setattr(f"{module}.discover_stages", lambda: stages)
    # The tiny stages use no model, so that none has to be there.
    monkeypatch.setattr("pipelines.preflight._is_on_the_hub", lambda config: False)
    return lambda *arguments: command(*arguments, "tracking=none")
