"""The runs that are compared, read from the folders that they left."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judge_lightning.errors import UserError
from pipelines.run_folder import CONFIG, SUMMARY, SUMMARY_SCHEMA
from pipelines.sweep.jobs import Job, job_folders, read_settings

_REMEDY = "give a run's folder, a multirun's, outputs/latest or a summary.json"


@dataclass(frozen=True)
class ComparedRun:
    """One run of a comparison.

    Attributes:
        number: From 1; tables name a run by it, and all are compared with the first.
        job: Its folder, its configuration (nothing where ``config.yaml`` is missing) and its
            summary.
    """

    number: int
    job: Job

    @property
    def folder(self) -> Path:
        return self.job.folder

    @property
    def settings(self) -> Mapping[str, Any]:
        return self.job.settings

    @property
    def summary(self) -> Mapping[str, Any]:
        return self.job.summary

    @property
    def failed(self) -> str | None:
        """Why it did not come to its end; None for a run that is done."""
        return self.job.failed

    @property
    def keys(self) -> dict[str, str]:
        """The key of every stage's artifact."""
        return {stage: one["key"] for stage, one in (self.summary.get("stages") or {}).items()}

    @property
    def found_in_store(self) -> str:
        """How much of it was computed, e.g. ``9 of 12``."""
        stages = (self.summary.get("stages") or {}).values()
        return f"{sum(bool(one.get('cached')) for one in stages)} of {len(stages)}"


def read_runs(paths: Sequence[Path]) -> list[ComparedRun]:
    """Reads the runs in the order in which they were named; a multirun stands for its jobs.

    Raises:
        UserError: One is no run, was written by a newer version, is named twice, or there are
            fewer than two.
    """
    folders = [folder for path in paths for folder in _folders(path)]
    resolved = [folder.resolve() for folder in folders]
    for place, folder in enumerate(resolved):
        if folder in resolved[:place]:
            raise UserError(str(folders[place]), "is named twice", "name each run once")
    if len(folders) < 2:
        given = str(folders[0]) if folders else "nothing"
        raise UserError(given, "there is nothing to compare it with", "give two runs or more")
    return [
        ComparedRun(number, Job(_name(folder), folder, _settings(folder), _summary(folder)))
        for number, folder in enumerate(resolved, start=1)
    ]


def _folders(path: Path) -> Iterator[Path]:
    if not path.exists():
        raise UserError(str(path), "there is no such folder", _REMEDY)
    folder = path.parent if path.name == SUMMARY else path
    if not (folder / SUMMARY).is_file():
        jobs = job_folders(folder) if folder.is_dir() else []
        if not jobs:
            raise UserError(str(path), f"is no run: it has no {SUMMARY}", _REMEDY)
        yield from jobs
    elif "jobs" in _summary(folder):
        yield from job_folders(folder)
    else:
        yield folder


def _summary(folder: Path) -> dict[str, Any]:
    path = folder / SUMMARY
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        remedy = "run the experiment again: what is finished is found in the store"
        raise UserError(str(path), f"cannot be read ({error})", remedy) from error
    if not isinstance(summary, dict):
        raise UserError(str(path), "is no summary of a run", _REMEDY)
    schema = summary.get("schema", SUMMARY_SCHEMA)
    if not isinstance(schema, int) or schema > SUMMARY_SCHEMA:
        raise UserError(
            str(path),
            f"has schema {schema}, and this version reads up to {SUMMARY_SCHEMA}",
            "compare with the version of judge-lightning that ran it, or with a newer one",
        )
    return summary


def _settings(folder: Path) -> dict[str, Any]:
    return read_settings(folder) if (folder / CONFIG).is_file() else {}


def _name(folder: Path) -> str:
    """As much of a folder's name as tells runs apart: ``quickstart/2026-11-30_13-17-29``."""
    parts = folder.parts[-3:] if folder.parent.name.startswith("multirun-") else folder.parts[-2:]
    return "/".join(parts)
