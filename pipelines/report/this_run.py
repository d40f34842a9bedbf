"""What a page says of one run alone: its command line, its time, its configuration.

The report's artifact knows nothing of these, since they are no part of its key; they are put into
the page when a run's folder takes it.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from yaml import YAMLError

from pipelines.report.page import render_fragment
from pipelines.report.wording import in_size
from pipelines.run_folder import OVERRIDES

_START, _END = "<!-- this run -->", "<!-- /this run -->"
"""Nothing that a model wrote can look like these: it is escaped."""


@dataclass(frozen=True)
class ThisRun:
    """One run.

    Attributes:
        command: As it was typed; empty where it is not known.
        stages: Each stage's outcome as ``summary.json`` has it.
        config: The whole configuration, as YAML.
    """

    exp: str
    command: str
    stages: Mapping[str, Mapping[str, Any]]
    seconds: float | None = None
    peak_memory: float | None = None
    config: str = field(default="", repr=False)

    @classmethod
    def of(cls, summary: Mapping[str, Any], config: str, command: str) -> ThisRun:
        """From a run's ``summary.json``, which may be an older or a damaged one."""
        cost = summary.get("run")
        numbers = cost if isinstance(cost, Mapping) else {}
        stages = summary.get("stages")
        return cls(
            exp=str(summary.get("exp", "")),
            command=command,
            stages={
                stage: outcome
                for stage, outcome in (stages if isinstance(stages, Mapping) else {}).items()
                if isinstance(outcome, Mapping)
            },
            seconds=_number(numbers.get("seconds")),
            peak_memory=_number(numbers.get("peak_memory")),
            config=config,
        )

    @property
    def cached(self) -> int:
        """Stages whose artifacts were there before the run."""
        return sum(bool(outcome.get("cached")) for outcome in self.stages.values())


def _number(value: Any) -> float | None:
    """A finite number as it is; None for anything else."""
    known = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    return value if known else None


def command_of(folder: Path) -> str:
    """The command line that made the run in ``folder``; empty where it was not kept."""
    try:
        overrides = OmegaConf.to_container(OmegaConf.load(folder / OVERRIDES))
    except (OSError, ValueError, YAMLError):
        return ""
    if not isinstance(overrides, list):
        return ""
    return shlex.join(["python", "-m", "pipelines.run", *map(str, overrides)])


def put_into(page: str, run: ThisRun) -> str:
    """The page with what is said of this run; a page without a place for it stays as it is."""
    before, start, rest = page.partition(_START)
    _, end, after = rest.partition(_END)
    if not start or not end:
        return page
    part = render_fragment(
        "this_run.html.j2",
        run=run,
        memory=in_size(run.peak_memory or 0),
        commands=commands(
            run.command or f"python -m pipelines.run +exp={run.exp}",
            {stage: str(outcome.get("key", "")) for stage, outcome in run.stages.items()},
        ),
    )
    return f"{before}{_START}\n{part}{_END}{after}"


def commands(run: str, keys: Mapping[str, str]) -> str:
    """What to type to have the run again and to see more of it."""
    lines: list[tuple[str, str]] = [(run, "the same run again")]
    judge = keys.get("certify") or keys.get("calibrate")
    if judge:
        lines += [
            (f"python -m pipelines.artifacts lineage {judge[:12]}", "what the judge was made from"),
            (f"python -m pipelines.artifacts show {judge[:12]}", "where its folder judge/ is"),
        ]
    elif keys.get("acceptance"):
        key = keys["acceptance"][:12]
        lines.append((f"python -m pipelines.artifacts show {key}", "where all tokens' scores are"))
    lines.append(("python -m pipelines.report RUN", "this page from the folder RUN, again"))
    return "\n".join(f"{command}   # {why}" for command, why in lines)
