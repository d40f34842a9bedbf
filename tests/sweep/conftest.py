"""Made-up multiruns: folders with the configuration and the summary of each job."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

Multirun = Callable[..., Path]
TYPED = ("judge.layer", "judge.lr", "judge.threshold")
"""Settings that were typed on the made-up command line."""


def numbers(right: float, kept: float, change: float) -> dict[str, Any]:
    """One family's part of a summary: per decoder, and the paired change."""
    rows = {
        "target": {"prompts": 50, "right": 0.98, "right_stderr": 0.02, "accepted_per_cycle": 0.0},
        "draft": {"prompts": 50, "right": 0.6, "right_stderr": 0.07, "accepted_per_cycle": 0.0},
        "exact": {"prompts": 50, "right": 0.98, "right_stderr": 0.02, "accepted_per_cycle": 4.0},
        "judge": {"prompts": 50, "right": right, "right_stderr": 0.03, "accepted_per_cycle": kept},
    }
    for row in rows.values():
        row |= {"tokens_per_second": 100.0, "speedup": 2.0}
    return {"rows": rows, "changes": {"judge": {"value": change, "stderr": 0.014}}}


def summary_of(
    right: float = 0.96, kept: float = 12.0, change: float = -0.02, shifted: bool = False
) -> dict[str, Any]:
    """A finished job's summary, with what a sweep reads of it."""
    word, code = numbers(right, kept, change), numbers(0.5, 3.0, -0.4)
    return {
        "exp": "some_sweep",
        "pair": "micro",
        "stand_in": None,
        "run": {"seconds": 1.0, "peak_memory": 1},
        "stages": {},
        "verdict": {"family": "word"},
        "court": {"dataset": {"tuples": 800.0}},
        "judge": {"layer": 5, "parameters": 129, "auroc": 0.99, "average_precision": 0.8,
                  "threshold": 0.8},
        "shift": {"judge": {"word": {"shifted": shifted}}},
        "speed": {"pair": "micro", "stand_in": False},
        "decode": word["rows"],
        "families": {"word": word["rows"], "code": code["rows"]},
        "changes": {"word": word["changes"], "code": code["changes"]},
    }  # fmt: skip


Jobs = Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]
"""Each job's settings and summary."""


def write_multirun(root: Path, jobs: Jobs) -> Path:
    """Writes jobs as a multirun leaves them and returns its folder."""
    folder = root / "outputs" / "some_sweep" / "multirun-2030"
    for number, (settings, summary) in enumerate(jobs):
        job = folder / str(number)
        job.mkdir(parents=True)
        config = OmegaConf.create({"exp": "some_sweep"})
        for field, value in settings.items():
            OmegaConf.update(config, field, value)
        (job / "config.yaml").write_text(OmegaConf.to_yaml(config))
        (job / "summary.json").write_text(json.dumps(summary))
        (job / "report.html").write_text("<html></html>")
        typed = [f"{field}={value}" for field, value in settings.items() if field in TYPED]
        overrides = OmegaConf.create(["+exp=some_sweep", *typed])
        (job / "overrides.yaml").write_text(OmegaConf.to_yaml(overrides))
    return folder


@pytest.fixture
def multirun(tmp_path: Path) -> Multirun:
    """Writes jobs as (settings, summary) and returns the multirun's folder."""

    def make(jobs: Jobs) -> Path:
        return write_multirun(tmp_path, jobs)

    return make
