"""The output folder of one run: ``outputs/<exp>/<time>/`` and ``outputs/latest``."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from judge_lightning.errors import UserError
from pipelines.config import RunConfig
from pipelines.durable import point_to, read_json, write_json, write_text
from pipelines.plan import Plan, PlannedStage
from pipelines.stand_in import describe_stand_in

SUMMARY = "summary.json"
SUMMARY_SCHEMA = 1
REPORT = "report.html"
PARTIAL_REPORT = "report-partial.html"
"""Of a run that is looked at again when something of it is gone."""
CONFIG = "config.yaml"
OVERRIDES = "overrides.yaml"
TERMINAL = "terminal.txt"
FIGURES = "figures.json"


@dataclass(frozen=True)
class StageOutcome:
    """How one stage went. ``cached`` and ``seconds`` are None until it is done."""

    key: str
    cached: bool | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Cost:
    """What a whole run took: wall-clock seconds, and the most bytes of memory held at once."""

    seconds: float
    peak_memory: int


class RunFolder:
    """What one run leaves for people: ``config.yaml``, ``metrics.jsonl``, ``summary.json``,
    ``report.html``, and in ``figures.json`` the numbers that its charts are drawn from.

    ``summary.json`` names the key of every stage from the start, so that garbage collection
    leaves a run's artifacts alone while it is going on or waits to be continued.
    """

    def __init__(self, path: Path, config: RunConfig, plan: Plan) -> None:
        self.path = path
        self._config = config
        self._stages = {p.name: StageOutcome(p.key) for p in plan.selected}
        self._results: dict[str, Any] = {}
        self._cost: Cost | None = None
        self._report: Path | None = None
        self._failed: str | None = None

    @classmethod
    def create(
        cls,
        config: RunConfig,
        plan: Plan,
        composed: DictConfig,
        started: datetime,
        *,
        job_folder: Path | None = None,
        overrides: Sequence[str] = (),
    ) -> RunFolder:
        """Makes ``<exp>/<time>/``; ``latest`` points to it.

        Args:
            job_folder: Of a job of a multirun, which has been made already.
            overrides: What was typed behind ``python -m pipelines.run``; of a job of a multirun,
                what would be typed for it alone.

        Raises:
            UserError: The folder cannot be written.
        """
        root = Path(config.output_dir)
        try:
            path = job_folder or new_folder(root / config.exp, in_name(started))
            folder = cls(path, config, plan)
            write_text(path / CONFIG, OmegaConf.to_yaml(composed))
            write_text(path / OVERRIDES, OmegaConf.to_yaml(OmegaConf.create(list(overrides))))
            folder._write_summary()
            point_to(root / "latest", path if job_folder is None else path.parent)
        except OSError as error:
            raise UserError(
                "output_dir",
                f"cannot write to {error.filename or root} ({error.strerror})",
                "give a folder that you may write to: output_dir=PATH",
            ) from error
        return folder

    def stage_done(self, planned: PlannedStage, *, cached: bool, seconds: float) -> None:
        """Notes how a stage went."""
        self._stages[planned.name] = StageOutcome(planned.key, cached, round(seconds, 3))
        self._write_summary()

    def finished(self, cost: Cost) -> None:
        """Notes what the whole run took."""
        self._cost = cost
        self._write_page(self._write_summary())

    def failed(self, reason: str) -> None:
        """Notes why the run ended early."""
        self._failed = " ".join(reason.split())
        self._write_summary()

    def take_report(self, report: Path) -> dict[str, Any]:
        """Copies the report artifact's results here and returns the whole summary."""
        self._report = report / REPORT
        if (report / FIGURES).is_file():
            shutil.copyfile(report / FIGURES, self.path / FIGURES)
        self._results = json.loads((report / SUMMARY).read_text(encoding="utf-8"))
        summary = self._write_summary()
        self._write_page(summary)
        return summary

    def _write_page(self, summary: dict[str, Any]) -> None:
        """The report's page with what is this run's alone: its command line and its cost."""
        if self._report is None or not self._report.is_file():
            return
        from pipelines.report.this_run import ThisRun, command_of, put_into

        config = (self.path / CONFIG).read_text(encoding="utf-8")
        run = ThisRun.of(summary, config, command_of(self.path))
        page = self._report.read_text(encoding="utf-8")
        write_text(self.path / REPORT, put_into(page, run))

    def figures(self) -> dict[str, Any]:
        """What the report's charts show; empty before it, and where it is from an older version."""
        path = self.path / FIGURES
        return dict(read_json(path)) if path.is_file() else {}

    def _write_summary(self) -> dict[str, Any]:
        run_specific = {
            "schema": SUMMARY_SCHEMA,
            "exp": self._config.exp,
            "pair": self._config.pair.name,
            "stand_in": describe_stand_in(self._config.pair) or None,
            "stages": {name: asdict(outcome) for name, outcome in self._stages.items()},
            "run": asdict(self._cost) if self._cost else None,
            **({"failed": self._failed} if self._failed else {}),
        }
        summary = {**run_specific, **self._results, **run_specific}
        write_json(self.path / SUMMARY, summary)
        return summary


def in_name(started: datetime) -> str:
    """A moment as a folder's name has it."""
    return started.strftime("%Y-%m-%d_%H-%M-%S")


def new_folder(parent: Path, name: str) -> Path:
    """Makes ``parent/name``, with a number behind the name when another run has taken it."""
    parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        with suppress(FileExistsError):
            folder.mkdir()
            return folder
    raise AssertionError("unreachable")
