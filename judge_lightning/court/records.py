"""The records that travel between the court's stages, and their JSON Lines files.

A *prompt* is a question with its reference. An *answer* is what a drafter or the target
said to it, checked right or wrong. A *labelled tuple* joins a right and a wrong answer to
one prompt with the place of the first mistake and a label for every token (DESIGN,
section 5).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from judge_lightning.errors import UserError

SPLITS = ("train", "validation", "calibration", "eval")
"""Judge training, layer choice, threshold choice, and decoding: disjoint by prompt."""

IGNORED = -100
"""Label of a token that neither counts as correct nor as a mistake."""


@dataclass(frozen=True)
class Prompt:
    """A question put to the drafters and the target.

    ``meta`` carries what the source's checker needs (for the micro world: ``index``).
    """

    id: str
    text: str
    reference: str
    family: str
    split: str
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """One answer to one prompt. ``token_ids`` ends in EOS when ``finished``."""

    prompt_id: str
    author: str
    sample: int
    text: str
    token_ids: list[int]
    finished: bool
    right: bool


@dataclass(frozen=True)
class LabelledTuple:
    """A right and a wrong answer to one prompt, with a label for every answer token.

    ``prompt`` is the question, ``prompt_ids`` the prompt as the target reads it (chat template
    applied). ``drafter`` wrote the wrong answer, ``correct_author`` the right one; ``source`` is
    where the prompt comes from.
    ``mistake_characters`` and ``mistake_tokens`` are half-open ranges in the wrong answer.
    Labels: 1 correct, 0 mistake, ``IGNORED`` neither; one per token of the answer.
    """

    prompt_id: str
    family: str
    split: str
    drafter: str
    prompt_ids: list[int]
    correct_text: str
    correct_ids: list[int]
    correct_labels: list[int]
    wrong_text: str
    wrong_ids: list[int]
    wrong_labels: list[int]
    mistake_characters: tuple[int, int]
    mistake_tokens: tuple[int, int]
    confidence: float
    evidence: str
    prompt: str = ""
    source: str = ""
    correct_author: str = ""


R = TypeVar("R", Prompt, Answer, LabelledTuple)


def write_records(path: Path, records: Iterable[R]) -> int:
    """Writes one JSON object a line and returns how many there were."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(vars(record), ensure_ascii=False, sort_keys=True) + "\n")
            count += 1
    return count


def read_records(path: Path, kind: type[R]) -> Iterator[R]:
    """Reads the records of one JSON Lines file, one at a time.

    Raises:
        UserError: A line that is no JSON object with the record's fields, by its number.
    """
    names = {f.name for f in fields(kind)}
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                row = json.loads(line)
                record = kind(**{name: row[name] for name in names if name in row})
            except (ValueError, TypeError, KeyError) as error:
                raise UserError(
                    f"{path}:{number}",
                    f"not a {kind.__name__} record ({error})",
                    "mend or remove that line",
                ) from error
            yield record
