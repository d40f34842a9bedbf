"""Builds a run's or a sweep's W&B report, keeps its specification, and publishes it.

``wandb_report.json`` in the run's folder holds what the report is about, its specification as
W&B's SDK writes it, the command that publishes it, and where it was published: a second time, the
same report is brought up to date.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from judge_lightning.errors import UserError
from judge_lightning.store_folder import folder_of_store
from pipelines.config import TrackingConfig
from pipelines.durable import read_json, write_json
from pipelines.manifest import Manifest, ManifestError
from pipelines.report.this_run import command_of
from pipelines.run_folder import CONFIG, FIGURES, SUMMARY
from pipelines.sweep.jobs import read_jobs
from pipelines.wandb_run.connection import end_service, first_line
from pipelines.wandb_run.courier import Courier
from pipelines.wandb_run.report import FinishedRun, Place, run_report
from pipelines.wandb_run.sweep_report import sweep_report

SPECIFICATION = "wandb_report.json"


def _is_offline(record: Path) -> bool:
    return record.name.startswith("offline-")


@dataclass(frozen=True)
class Subject:
    """What a report is about, as W&B knows it.

    Attributes:
        run: The run's id; None where the report is about all runs of the group.
        record: What ``wandb sync`` sends, relative to the run's folder.
    """

    project: str
    entity: str | None
    group: str
    run: str | None
    record: str

    @property
    def online(self) -> bool:
        """Whether it was sent as it went."""
        return not _is_offline(Path(self.record))


def save_specification(folder: Path, subject: Subject) -> str:
    """Builds the report, writes ``wandb_report.json``, and returns the command that publishes it.

    Raises:
        ImportError: ``wandb-workspaces`` is not installed.
    """
    report = _report(folder, subject, Place(subject.project, subject.entity or ""))
    command = publishing_command(folder, subject)
    _write(folder, subject, report, command, _published(folder))
    return command


def publish(folder: Path, subject: Subject, entity: str) -> str:
    """Creates the report in W&B, or brings it up to date, and returns its address.

    Raises:
        Exception: Whatever W&B's SDK raises when it has no login, no network or no permission.
    """
    report = _report(folder, subject, Place(subject.project, entity))
    before = _published(folder)
    if before and before["entity"] == entity:
        report.id = before["id"]
    report.save()
    published = {"id": report.id, "url": report.url, "entity": entity}
    _write(folder, subject, report, publishing_command(folder, subject), published)
    return str(report.url)


def publish_finished(folder: Path) -> str:
    """``publish`` for a folder with a specification, after ``wandb sync``.

    Raises:
        UserError: There is no specification, the SDK is not there, nobody is logged in, or W&B
            refuses.
    """
    subject = read_subject(folder)
    try:
        import wandb
        import wandb_workspaces.reports.v2  # noqa: F401 (whether it is there)
    except ImportError as error:
        raise UserError(
            "wandb-workspaces", f"is not installed ({error})", "pip install 'wandb-workspaces>=0.4'"
        ) from error
    if not wandb.login(prompt=False, verify=False):
        raise UserError("W&B", "has no API key here", "run `wandb login`")
    try:
        return _publish(folder, subject)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            "W&B", f"did not take the report ({first_line(error)})", "see `wandb status`"
        ) from error


def report_sweep(folder: Path) -> str | None:
    """The report of a multirun whose jobs W&B has recorded: published where they were sent as they
    went, else put down in its folder. It takes no longer than ``tracking.wait_seconds``.

    Returns:
        A line to print: its address, the command that publishes it, or why there is none; None
        where W&B has recorded no job.
    """
    jobs = sorted(folder.glob(f"*/{SPECIFICATION}"))
    if not jobs:
        return None
    job, lines, failures = jobs[0].parent, list[str](), list[str]()
    courier = Courier(lambda error: failures.append(first_line(error)))
    courier.send(lambda: lines.append(_report_jobs(folder, job)))
    seconds = _wait_seconds(job)
    if not courier.close(seconds):
        failures.append(f"not done after {seconds:.0f} s")
        if "wandb" in sys.modules:
            end_service(sys.modules["wandb"])
    if not failures:
        return lines[0]
    again = f"python -m pipelines.wandb_report {_near(folder)}"
    return f"W&B has no report of the sweep ({failures[0]}); `{again}` tries again"


def _report_jobs(folder: Path, one: Path) -> str:
    job = read_subject(one)
    subject = replace(job, run=None, record=f"*/wandb/{'' if job.online else 'offline-'}run-*")
    command = save_specification(folder, subject)
    return f"W&B report: {_publish(folder, subject)}" if job.online else f"W&B: {command}"


def _wait_seconds(job: Path) -> float:
    """How long the job's own run waited for W&B."""
    try:
        found = OmegaConf.select(OmegaConf.load(job / CONFIG), "tracking.wait_seconds")
    except (OSError, YAMLError, OmegaConfBaseException):
        found = None
    return float(TrackingConfig.wait_seconds if found is None else found)


def read_subject(folder: Path) -> Subject:
    """What the report in a folder is about.

    Raises:
        UserError: The folder holds no ``wandb_report.json``, or one that cannot be read.
    """
    path = folder / SPECIFICATION
    try:
        return Subject(**read_json(path)["subject"])
    except FileNotFoundError as error:
        raise UserError(
            str(folder),
            f"holds no {SPECIFICATION}",
            "give the folder of a finished run or sweep that W&B has recorded",
        ) from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(
            str(path), f"cannot be read ({first_line(error)})", "run the experiment again"
        ) from error


def publishing_command(folder: Path, subject: Subject) -> str:
    """The one line that sends a recorded run and publishes its report."""
    publish_it = f"python -m pipelines.wandb_report {_near(folder)}"
    if subject.online:
        return publish_it
    return f"{sync_command(folder / subject.record)} && {publish_it}"


def sync_command(record: Path) -> str:
    """What sends a record (W&B's folder of a run): also one that was not sent whole as it went,
    which W&B else takes for sent."""
    option = "" if _is_offline(record) else "--include-online "
    return f"wandb sync {option}{_near(record)}"


def relative_record(record: Path, folder: Path) -> str:
    """A record's path as ``Subject`` keeps it, whatever links lead to either."""
    return os.path.relpath(record.resolve(), folder.resolve())


_SECONDS = 30
"""That W&B's server has to answer."""


def _publish(folder: Path, subject: Subject) -> str:
    """``publish`` with the login that there is, for a run that is there."""
    import wandb

    entity = subject.entity or str(wandb.Api(timeout=_SECONDS).default_entity)
    _require_synced(wandb, folder, subject, entity)
    return publish(folder, subject, entity)


def _require_synced(wandb: Any, folder: Path, subject: Subject, entity: str) -> None:
    """Raises UserError where the report's run is not in W&B yet: its panels would be empty."""
    if subject.run is None:
        return
    path = f"{entity}/{subject.project}/{subject.run}"
    try:
        wandb.Api(timeout=_SECONDS).run(path)
    except Exception as error:
        if "could not find" not in str(error).lower():
            raise
        command = sync_command(folder / subject.record)
        raise UserError(path, "is not in W&B yet", f"run `{command}` first") from error


def _report(folder: Path, subject: Subject, place: Place) -> Any:
    import wandb_workspaces.reports.v2 as reports

    if subject.run is None:
        jobs = read_jobs(folder)
        exp = jobs[0].settings.get("exp")
        return sweep_report(
            reports, place, subject.group, jobs, f"python -m pipelines.run -m +exp={exp}"
        )
    summary, config = read_json(folder / SUMMARY), OmegaConf.load(folder / CONFIG)
    figures = read_json(folder / FIGURES) if (folder / FIGURES).is_file() else {}
    exp = OmegaConf.select(config, "exp")
    command = command_of(folder) or f"python -m pipelines.run +exp={exp}"
    trained_by = _maker(config, summary, "train")
    run = FinishedRun(subject.run, subject.group, summary, figures, command, trained_by)
    return run_report(reports, place, run)


def _maker(config: Any, summary: Mapping[str, Any], stage: str) -> str | None:
    """W&B's id of the run that made a stage's artifact; None where that is not known here."""
    store = folder_of_store(config)
    key = summary.get("stages", {}).get(stage, {}).get("key")
    if not key:
        return None
    try:
        return Manifest.read(Path(store) / stage / key).wandb
    except (OSError, ManifestError):
        return None


def _published(folder: Path) -> Mapping[str, str] | None:
    path = folder / SPECIFICATION
    return read_json(path).get("published") if path.is_file() else None


def _write(
    folder: Path,
    subject: Subject,
    report: Any,
    command: str,
    published: Mapping[str, str] | None,
) -> None:
    specification = report._to_model().model_dump_json(by_alias=True, exclude_none=True)
    content = {
        "subject": asdict(subject),
        "publish": command,
        "published": published,
        "report": json.loads(specification),
    }
    write_json(folder / SPECIFICATION, content)


def _near(path: Path) -> str:
    """A path as one types it here: relative where it lies below, quoted but for a ``*``."""
    whole = path.resolve()
    relative = os.path.relpath(whole)
    typed = str(whole) if relative.startswith("..") else relative
    return "*".join(shlex.quote(part) if part else "" for part in typed.split("*"))
