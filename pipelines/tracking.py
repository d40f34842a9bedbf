"""Where metrics go: a JSON Lines file for everybody, one W&B run for those who use it."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
)
from rich.text import Text

from judge_lightning.errors import UserError
from pipelines.config import TrackingConfig
from pipelines.store import Artifact

T = TypeVar("T")

WANDB_MODES = ("offline", "online", "disabled")
METRICS_FILE = "metrics.jsonl"


class RunTracker:
    """The record of one pipeline run, open for the time of a ``with`` block.

    Args:
        folder: The run's output folder; ``metrics.jsonl`` and W&B's offline files go there.
        group: What groups its runs in W&B: the experiment, or all jobs of a sweep.
        kind: ``run``, or ``sweep`` for a job of a sweep.
        tags: Further words by which W&B finds the run.
        settings: The composed configuration as plain values.
    """

    def __init__(
        self,
        config: TrackingConfig,
        *,
        folder: Path,
        name: str,
        group: str,
        settings: Mapping[str, Any],
        kind: str = "run",
        tags: Sequence[str] = (),
    ) -> None:
        self._file: IO[str] = (folder / METRICS_FILE).open("a", encoding="utf-8")
        self._wandb = None
        if config.wandb_mode != "disabled":
            from pipelines.wandb_run.run import RunIdentity, WandbRun

            identity = RunIdentity(name, group, kind, tuple(tags))
            self._wandb = WandbRun(config, identity, folder=folder, settings=dict(settings))

    @property
    def wandb_id(self) -> str | None:
        """The W&B run's id, or None when W&B is disabled."""
        return self._wandb.id if self._wandb else None

    def recorder(self, stage: str) -> StageRecorder:
        """The ``Recorder`` that a stage is given."""
        return StageRecorder(self, stage)

    def record(self, stage: str, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Writes metrics to ``metrics.jsonl``, one line each, and to W&B."""
        for name, value in metrics.items():
            line = {
                "time": round(time.time(), 3),
                "metric": f"{stage}/{name}",
                # JSON has no NaN: a diverged loss is recorded as null.
                "value": value if math.isfinite(value) else None,
                "step": step,
            }
            self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        if self._wandb:
            self._wandb.log(stage, metrics, step)

    def used(self, artifact: Artifact) -> None:
        """Records an artifact that was found in the store, with the metrics it was made with."""
        self.record(artifact.stage, artifact.manifest.metrics)
        if self._wandb:
            self._wandb.mirror(artifact, used=True)

    def produced(self, artifact: Artifact) -> None:
        """Mirrors an artifact that the run has made to W&B."""
        if self._wandb:
            self._wandb.mirror(artifact, used=False)

    def results(self, summary: Mapping[str, Any], figures: Mapping[str, Any], page: Path) -> None:
        """Puts the run's results, its figures and its HTML report, if there is one, into W&B."""
        if self._wandb:
            self._wandb.results(summary, figures, page)

    def __enter__(self) -> RunTracker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
        if self._wandb:
            self._wandb.finish(exit_code=0 if error is None else 1)


class RateColumn(ProgressColumn):
    """How many ``unit`` per second since the bar was shown, and the time that is left at that rate.

    rich's own columns look at the last 30 seconds alone, and so tell nothing of a stage that
    finishes something once a minute. ``done`` were finished before.
    """

    max_refresh = 0.5

    def __init__(self, unit: str, done: int) -> None:
        super().__init__()
        self._unit, self._done = unit, done

    def render(self, task: Task) -> Text:
        """The time alone until something is finished."""
        elapsed = task.elapsed or 0.0
        finished = task.completed - self._done
        if not finished or not elapsed:
            return Text(f"{_clock(elapsed)} elapsed")
        rate = f"{finished / elapsed:.3g} {self._unit}/s"
        if task.total is None:
            return Text(f"{rate}, {_clock(elapsed)} elapsed")
        return Text(f"{rate}, {_clock((task.total - task.completed) * elapsed / finished)} left")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class StageRecorder:
    """The ``Recorder`` of one running stage; ``metrics`` holds the last value of each."""

    def __init__(self, tracker: RunTracker, stage: str) -> None:
        self._tracker = tracker
        self._stage = stage
        self.metrics: dict[str, float] = {}

    def metric(self, name: str, value: float, step: int | None = None) -> None:
        """Logs ``<stage>/<name>``; the last finite value also lands in the manifest."""
        value = float(value)
        if math.isfinite(value):
            self.metrics[name] = value
        self._tracker.record(self._stage, {name: value}, step)

    def progress(
        self, items: Iterable[T], *, total: int | None, unit: str, done: int = 0
    ) -> Iterator[T]:
        """Shows one bar with rate and remaining time on a terminal, nothing elsewhere.

        ``done`` of ``total`` were finished by an earlier attempt and are not in ``items``.
        """
        if not sys.stderr.isatty():
            yield from items
            return
        bar = Progress(
            TextColumn(self._stage),
            BarColumn(),
            MofNCompleteColumn(),
            RateColumn(unit, done),
            console=Console(stderr=True),
            transient=True,
        )
        with bar:
            task = bar.add_task(self._stage, total=total, completed=done)
            for item in items:
                yield item
                bar.advance(task)

    def lightning_logger(self) -> Any:
        """A Lightning logger that writes into the same run under the stage's name."""
        from pipelines.lightning_logger import RecorderLogger

        return RecorderLogger(self, self._stage)


def report_sweep(folder: Path) -> str | None:
    """A line about W&B's report of a multirun; None where W&B has recorded none of its jobs."""
    from pipelines.wandb_run.publishing import report_sweep as report

    return report(folder)


def check_tracking(config: TrackingConfig) -> None:
    """Raises UserError for a W&B mode that does not exist."""
    if config.wandb_mode not in WANDB_MODES:
        raise UserError(
            "tracking.wandb_mode",
            f"there is no mode '{config.wandb_mode}'",
            f"choose one of: {', '.join(WANDB_MODES)}",
        )
