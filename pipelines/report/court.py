"""What a run's court is, in numbers: read from what the stages that made it have counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from judge_lightning.court.tuples import TARGET_AUTHOR
from pipelines.durable import read_json
from pipelines.report.faults import Faults

STATISTICS = "statistics.json"
_STAGES = ("prompts", "mine", "annotate", "dataset")


@dataclass(frozen=True)
class Court:
    """What the stages that made the data set counted; empty where a stage did not say."""

    statistics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def of(self, stage: str) -> Mapping[str, Any]:
        """One stage's numbers."""
        return self.statistics.get(stage, {})


@dataclass(frozen=True)
class Author:
    """Who answered, how often rightly, and how many wrong answers were made into tuples."""

    name: str
    answers: int
    accuracy: float
    tuples: int | None

    @property
    def right(self) -> int:
        """Answers that the checker accepts."""
        return round(self.answers * self.accuracy)

    @property
    def wrong(self) -> int:
        """Answers that it does not."""
        return self.answers - self.right


def read_court(inputs: Mapping[str, Path], faults: Faults) -> Court:
    """Reads each stage's numbers; an artifact of an older version has none."""
    found: dict[str, Mapping[str, Any]] = {}
    for stage in _STAGES:
        if stage in inputs and (inputs[stage] / STATISTICS).is_file():
            with faults.reading(f"{stage}: {STATISTICS}"):
                found[stage] = read_json(inputs[stage] / STATISTICS)
    return Court(found)


def authors(court: Court) -> list[Author]:
    """Who answered: the target last, whose answers are the right ones."""
    mined, tuples = court.of("mine"), court.of("dataset").get("drafters", {})
    answers = mined.get("answers", {})
    names = sorted(answers, key=lambda name: (name == TARGET_AUTHOR, name))
    return [
        Author(name, answers[name], mined["accuracy"][name], tuples.get(name)) for name in names
    ]
