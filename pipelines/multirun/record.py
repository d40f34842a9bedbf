"""What a sweep is, and how far it is: ``sweep.json`` and the folders of its jobs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from omegaconf import DictConfig, OmegaConf

from judge_lightning.errors import UserError
from pipelines.durable import read_json, write_json, write_text
from pipelines.run_folder import CONFIG, OVERRIDES, SUMMARY, SUMMARY_SCHEMA, new_folder

SWEEP = "sweep.json"
SWEEP_SCHEMA = 1
LOG = "log.txt"
"""What a job printed that had no terminal."""
REPLACED = "replaced"
"""Below a sweep's folder: finished jobs that had to run again, because they mean another thing."""

_FREE = ("launch", "tracking", "sweep", "hydra", "dry_run", "output_dir")
"""Settings by which a sweep is the same sweep, whatever their values."""


@dataclass(frozen=True)
class SweepJob:
    """One job of a sweep: its folder is ``<sweep>/<number>``."""

    sweep: Path
    number: int

    @property
    def folder(self) -> Path:
        """What the job leaves."""
        return self.sweep / str(self.number)

    @property
    def log(self) -> Path:
        """What it prints where it has no terminal."""
        return self.folder / LOG

    def prepare(self, composed: DictConfig, overrides: Sequence[str]) -> None:
        """Makes the folder, so that the sweep's page can name the job before it has run."""
        self.folder.mkdir(exist_ok=True)
        write_text(self.folder / CONFIG, OmegaConf.to_yaml(composed))
        write_text(self.folder / OVERRIDES, OmegaConf.to_yaml(OmegaConf.create(list(overrides))))
        if not (self.folder / SUMMARY).exists():
            empty = {"schema": SUMMARY_SCHEMA, "exp": composed.exp, "stages": {}, "run": None}
            write_json(self.folder / SUMMARY, empty)

    def summary(self) -> dict[str, Any]:
        """Its ``summary.json``; empty where there is none that can be read."""
        try:
            return dict(read_json(self.folder / SUMMARY))
        except (OSError, ValueError, TypeError):
            return {}

    def failed(self, reason: str) -> None:
        """Notes why it ended before it could note that itself."""
        summary = {**self.summary(), "failed": " ".join(reason.split())}
        write_json(self.folder / SUMMARY, summary)

    def finished_with(self) -> Mapping[str, str] | None:
        """The keys of its stages; None unless it has come to its end."""
        summary = self.summary()
        if summary.get("run") is None:
            return None
        return {name: stage["key"] for name, stage in (summary.get("stages") or {}).items()}

    def finished_at(self) -> str:
        """When it came to its end, for people."""
        at = datetime.fromtimestamp((self.folder / SUMMARY).stat().st_mtime)
        return at.strftime("%Y-%m-%d %H:%M")

    def put_aside(self) -> None:
        """Moves what a finished job left out of the way of its next attempt."""
        aside = self.sweep / REPLACED
        aside.mkdir(exist_ok=True)
        self.folder.replace(new_folder(aside, self.folder.name))

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Waits until no other process is at the job; yields whether there was one."""
        lock = FileLock(self.folder / ".lock")
        try:
            lock.acquire(timeout=0)
            waited = False
        except Timeout:
            print("another process is at this job; waiting for it", flush=True)
            lock.acquire()
            waited = True
        try:
            yield waited
        finally:
            lock.release()


@dataclass(frozen=True)
class SweepRecord:
    """A sweep's folder, and the overrides of each of its jobs by number.

    Attributes:
        identity: The same for every multirun that would do the same.
    """

    folder: Path
    identity: str
    overrides: Mapping[int, Sequence[str]]

    @classmethod
    def read(cls, folder: Path) -> SweepRecord:
        """Reads ``sweep.json``.

        Raises:
            UserError: There is none that can be read.
        """
        try:
            content = read_json(folder / SWEEP)
            jobs = {int(number): list(typed) for number, typed in content["jobs"].items()}
            return cls(folder, content["identity"], jobs)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                str(folder / SWEEP),
                f"cannot be read ({type(error).__name__})",
                "every machine that runs jobs must see output_dir under the same path",
            ) from error

    def write(self) -> None:
        """Writes ``sweep.json``."""
        jobs = {str(number): list(typed) for number, typed in self.overrides.items()}
        content = {"schema": SWEEP_SCHEMA, "identity": self.identity, "jobs": jobs}
        write_json(self.folder / SWEEP, content)

    @property
    def jobs(self) -> list[SweepJob]:
        """Its jobs by number."""
        return [SweepJob(self.folder, number) for number in sorted(self.overrides)]

    @property
    def is_finished(self) -> bool:
        """Whether every job has come to its end."""
        return all(job.finished_with() is not None for job in self.jobs)

    def lock(self) -> FileLock:
        """Held by the command that runs the sweep."""
        return FileLock(self.folder / ".lock", timeout=0)


def identity_of(overrides: Mapping[int, Sequence[str]]) -> str:
    """SHA-256 over what was typed for each job, but for settings that change no result."""
    meant = {
        str(number): sorted(one for one in typed if not _is_free(one))
        for number, typed in overrides.items()
    }
    return hashlib.sha256(json.dumps(meant, sort_keys=True).encode()).hexdigest()


def newest_sweep(experiment: Path, identity: str) -> SweepRecord | None:
    """The newest sweep of that identity below an experiment's folder."""
    for path in sorted(experiment.glob(f"multirun-*/{SWEEP}"), reverse=True):
        try:
            record = SweepRecord.read(path.parent)
        except UserError:
            continue
        if record.identity == identity:
            return record
    return None


def _is_free(override: str) -> bool:
    name = override.lstrip("+~").partition("=")[0]
    return any(name == free or name.startswith((f"{free}.", f"{free}/")) for free in _FREE)
