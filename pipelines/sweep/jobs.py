"""The jobs of a multirun, read from the folders that they left."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from yaml import YAMLError

from judge_lightning.errors import UserError
from pipelines.run_folder import CONFIG, REPORT, SUMMARY

GROUPS = (
    "pair",
    "data",
    "mine",
    "annotate",
    "judge",
    "verifier",
    "engine",
    "speed",
    "eval",
    "safety",
    "mt_bench",
)
"""Groups of the configuration whose choice is told by their name."""

_SUMMARY_PREFIX = "summary."
_NOT_AXES = ("exp", "sweep.", "hydra.", "launch.", "tracking.", "output_dir", "artifacts_")


@dataclass(frozen=True)
class Job:
    """One job of a sweep.

    Attributes:
        name: Its folder's name, the job's number.
        settings: Its configuration, flat: ``judge.layer`` to a value.
        summary: Its ``summary.json``.
    """

    name: str
    folder: Path
    settings: Mapping[str, Any]
    summary: Mapping[str, Any]

    @property
    def failed(self) -> str | None:
        """Why it did not come to its end; None for a job that is done."""
        if self.summary.get("run") is not None:
            return None
        return str(self.summary.get("failed") or self._so_far)

    @property
    def _so_far(self) -> str:
        return "not finished" if self.summary.get("stages") else "not started"

    @property
    def has_page(self) -> bool:
        """Whether it has a report of its own."""
        return (self.folder / REPORT).is_file()

    def value(self, field: str) -> Any:
        """A setting, or with ``summary.`` in front a number of the summary; None if not there."""
        if not field.startswith(_SUMMARY_PREFIX):
            return self.settings.get(field)
        found: Any = self.summary
        for part in field.removeprefix(_SUMMARY_PREFIX).split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        return found


def read_jobs(folder: Path) -> list[Job]:
    """The jobs below a multirun's folder, in the order of their numbers.

    Raises:
        UserError: There are none, or one cannot be read.
    """
    found = job_folders(folder)
    if not found:
        raise UserError(
            str(folder), "holds no job of a multirun", "give outputs/EXPERIMENT/multirun-TIME"
        )
    return [_read_job(path) for path in found]


def job_folders(folder: Path) -> list[Path]:
    """The folders of a multirun's jobs, in the order of their numbers."""
    return sorted((path.parent for path in folder.glob(f"*/{SUMMARY}")), key=_by_number)


def read_settings(folder: Path) -> dict[str, Any]:
    """The configuration of the run in ``folder``, flat.

    Raises:
        UserError: It is missing, or cannot be read.
    """
    try:
        return flatten(OmegaConf.to_container(OmegaConf.load(folder / CONFIG)))
    except (OSError, ValueError, YAMLError) as error:
        raise UserError(
            str(folder / CONFIG), f"cannot be read ({error})", "delete it, or run that again"
        ) from error


def axes_of(jobs: list[Job]) -> dict[str, str]:
    """What tells the jobs apart, label to field: as configured, else the fields that differ.

    Of a group that differs in its name, the name is told, and what differs in spite of it.
    """
    for job in jobs:
        prefix = "sweep.axes."
        named = {
            field.removeprefix(prefix): str(source)
            for field, source in job.settings.items()
            if field.startswith(prefix)
        }
        if named:
            return named
    return told_by_name([job.settings for job in jobs])


def differing_fields(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """The fields that say what a run does and are not the same in all of ``settings``."""
    fields = dict.fromkeys(field for one in settings for field in one)
    return [
        field
        for field in fields
        if not field.startswith(_NOT_AXES)
        and len({json.dumps(one.get(field), sort_keys=True) for one in settings}) > 1
    ]


def told_by_name(settings: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The differing fields by their label, groups first.

    Of a group that differs in its name, the name, and what differs in spite of the same name.
    """
    fields = differing_fields(settings)
    by_name = [group for group in GROUPS if f"{group}.name" in fields]
    told = {group: f"{group}.name" for group in by_name}
    for field in fields:
        name = f"{field.partition('.')[0]}.name"
        if name not in told.values() or not _follows(settings, field, name):
            told[field] = field
    return told


def _follows(settings: Sequence[Mapping[str, Any]], field: str, name: str) -> bool:
    """Whether a group's name says what the field is."""
    values: dict[str, Any] = {}
    return all(
        values.setdefault(str(one.get(name)), one.get(field)) == one.get(field) for one in settings
    )


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as dotted fields; lists stay values."""
    if not isinstance(value, Mapping):
        return {prefix: value}
    flat: dict[str, Any] = {}
    for name, inner in value.items():
        flat |= flatten(inner, f"{prefix}.{name}" if prefix else str(name))
    return flat


def _read_job(folder: Path) -> Job:
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            str(folder), f"is no job's folder ({error})", "delete it, or run the sweep again"
        ) from error
    return Job(folder.name, folder, read_settings(folder), summary)


def _by_number(folder: Path) -> tuple[int, str]:
    return (int(folder.name) if folder.name.isdigit() else 0, folder.name)
