"""What to type to run a sweep, or one of its jobs, again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from math import prod
from pathlib import Path

from omegaconf import OmegaConf
from yaml import YAMLError

from pipelines.run_folder import OVERRIDES
from pipelines.sweep.jobs import Job

_RUN = "python -m pipelines.run"


def job_command(job: Job) -> str | None:
    """The command that runs a job by itself; None where an older version did not note it."""
    overrides = _overrides(job.folder)
    return None if overrides is None else " ".join([_RUN, *map(shlex.quote, overrides)])


def sweep_command(jobs: Sequence[Job]) -> str | None:
    """The command of the whole multirun.

    None where a job's overrides are unknown, or where the jobs are no product of their values, as
    after a job was deleted.
    """
    noted = [_overrides(job.folder) for job in jobs]
    known = [_by_field(overrides) for overrides in noted if overrides is not None]
    if len(known) < len(jobs) or len({frozenset(one) for one in known}) != 1:
        return None
    values = {field: list(dict.fromkeys(one[field] for one in known)) for field in known[0]}
    if prod(len(of_field) for of_field in values.values()) != len(jobs):
        return None
    parts = [f"{field}={','.join(of_field)}" for field, of_field in values.items()]
    return " ".join([f"{_RUN} -m", *map(shlex.quote, parts)])


def _overrides(folder: Path) -> list[str] | None:
    try:
        found = OmegaConf.to_container(OmegaConf.load(folder / OVERRIDES))
    except (OSError, ValueError, YAMLError):
        return None
    if not isinstance(found, list):
        return None
    # Hydra puts a multirun's own values first; one reads the experiment first.
    return sorted(map(str, found), key=lambda override: not override.startswith("+exp="))


def _by_field(overrides: Sequence[str]) -> dict[str, str]:
    parts = (override.partition("=") for override in overrides)
    return {field: value for field, _, value in parts}
