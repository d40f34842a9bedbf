"""A comparison as a whole: what is shown, and as plain JSON values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipelines.compare.answers import DECODE, TurnedAnswers, turned_answers
from pipelines.compare.differences import (
    Origin,
    Setting,
    StageDifference,
    artifacts_of,
    compare_stages,
    differing_origins,
    differing_settings,
    read_manifests,
)
from pipelines.compare.measures import Measure, measures_of
from pipelines.compare.runs import ComparedRun

SCHEMA = 1


@dataclass(frozen=True)
class Comparison:
    """Runs side by side; lists of values are in the order of ``runs``.

    Attributes:
        notes: Why some answers could not be paired.
    """

    runs: Sequence[ComparedRun]
    settings: list[Setting]
    stages: list[StageDifference]
    origins: list[Origin]
    measures: list[Measure]
    answers: list[TurnedAnswers]
    notes: list[str]

    def as_json(self) -> dict[str, Any]:
        """Plain values for scripts, whatever a terminal leaves out included."""
        return {
            "schema": SCHEMA,
            "runs": [
                {
                    "number": run.number,
                    "folder": str(run.folder),
                    "exp": run.summary.get("exp"),
                    "pair": run.summary.get("pair"),
                    "failed": run.failed,
                }
                for run in self.runs
            ],
            "config": {one.field: one.values for one in self.settings},
            "artifacts": {
                one.stage: {"keys": one.keys, "shared": one.shared, "differs_in": one.reason}
                for one in self.stages
            },
            "origin": {one.name: one.values for one in self.origins},
            "metrics": {
                one.name: {"values": one.values, "stderr": one.errors} for one in self.measures
            },
            "answers": [asdict(one) for one in self.answers],
            "notes": self.notes,
        }


def make_comparison(
    runs: Sequence[ComparedRun], store: Path | None = None, *, all_families: bool = False
) -> Comparison:
    """Compares runs with the first of them.

    Args:
        store: The artifacts' folder; None takes the one that each run names.
        all_families: Pair the answers of every family of prompts, not of the headline's alone.
    """
    manifests = [read_manifests(run, store) for run in runs]
    decoded = {
        run.number: (store or artifacts_of(run)) / DECODE / run.keys[DECODE]
        for run, found in zip(runs, manifests, strict=True)
        if DECODE in found
    }
    answers, notes = turned_answers(list(runs), decoded, all_families=all_families)
    return Comparison(
        runs=runs,
        settings=differing_settings(runs),
        stages=compare_stages(runs, manifests),
        origins=differing_origins(manifests),
        measures=measures_of(runs),
        answers=answers,
        notes=notes,
    )
