"""Stretches: the prompts of the court in order, cut into pieces that are worked on one by one.

All drafters answer the same stretches, so that a stretch's prompts and all answers to them fit
in memory together, however many stretches there are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from judge_lightning.court.records import Answer, Prompt, read_records

COURT_SPLITS = ("train", "validation", "calibration")


@dataclass(frozen=True)
class Stretch:
    """The ``number``-th piece of the court's prompts."""

    number: int
    prompts: list[Prompt]


def answers_file(author: str, number: int) -> str:
    """The name of the file that holds an author's answers to a stretch."""
    return f"answers-{author}-{number:05d}.jsonl"


def read_stretches(prompts: Path, size: int) -> Iterator[Stretch]:
    """Reads the prompts of the court's splits, ``size`` at a time, from ``prompts.jsonl``."""
    court = (prompt for prompt in read_records(prompts, Prompt) if prompt.split in COURT_SPLITS)
    number = 0
    while stretch := list(islice(court, size)):
        yield Stretch(number, stretch)
        number += 1


def read_answers(mined: Path, number: int) -> dict[str, list[Answer]]:
    """All authors' answers to a stretch, by the prompt's id, authors in order of their names."""
    answers: dict[str, list[Answer]] = defaultdict(list)
    for path in sorted(mined.glob(answers_file("*", number))):
        for answer in read_records(path, Answer):
            answers[answer.prompt_id].append(answer)
    return answers
