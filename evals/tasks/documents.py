"""The documents of our tasks, which name these functions as their ``custom_dataset``.

lm-eval calls them with a task's ``dataset_kwargs`` and with the metadata of a run (its command
line's ``--metadata``): what is not asked for below belongs to others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from datasets import Dataset

from evals.benchmarks import BENCHMARKS, split_rows
from judge_lightning.court.records import Prompt
from judge_lightning.errors import UserError

HELD_OUT = 100
"""Documents of a micro task that no run has filled in."""
_FAR = 1_000_000
"""Runs take a family's problems from number 0 on; these are far from what they train on."""


def micro(family: str, documents: Mapping[str, str] | None = None, **_: Any) -> dict[str, Dataset]:
    """A family's prompts, as the split ``test``.

    Args:
        family: ``word``, ``code`` or ``choice``.
        documents: Per family, the file that ``write_documents`` wrote: the held-out prompts of a
            run. None takes a fixed hundred that belongs to no run.
    """
    if documents is None:
        return {"test": Dataset.from_list([document(p) for p in held_out(family)])}
    lines = Path(documents[family]).read_text(encoding="utf-8").splitlines()
    return {"test": Dataset.from_list([json.loads(line) for line in lines])}


def held_out(family: str) -> list[Prompt]:
    """A fixed hundred problems of the micro world, the same on every machine."""
    from judge_lightning.micro.world import problem

    drawn = [problem(family, _FAR + number) for number in range(HELD_OUT)]
    return [
        Prompt(
            id=f"{family}-{_FAR + number}",
            text=one.text,
            reference=one.reference,
            family=family,
            split="eval",
            meta={"checker": "micro", "index": _FAR + number, "pool": one.pool},
        )
        for number, one in enumerate(drawn)
    ]


def write_documents(prompts: Iterable[Prompt], folder: Path) -> dict[str, str]:
    """Writes one file per family, as ``micro`` reads them; maps family to file."""
    by_family: dict[str, list[Prompt]] = {}
    for prompt in prompts:
        by_family.setdefault(prompt.family, []).append(prompt)
    files = {family: folder / f"{family}.jsonl" for family in by_family}
    for family, rows in by_family.items():
        lines = [json.dumps(document(row), ensure_ascii=False) + "\n" for row in rows]
        files[family].write_text("".join(lines), encoding="utf-8")
    return {family: str(file) for family, file in files.items()}


def document(prompt: Prompt) -> dict[str, str]:
    """A prompt as the micro tasks' files expect it.

    ``record`` is the prompt's JSON: as a nested column, the sources' different ``meta`` fields
    would be merged into one table schema.
    """
    return {
        "id": prompt.id,
        "text": prompt.text,
        "reference": prompt.reference,
        "record": json.dumps(asdict(prompt), ensure_ascii=False, sort_keys=True),
    }


def benchmark(benchmark: str, data_dir: str | None = None, **_: Any) -> dict[str, Dataset]:
    """A public benchmark's splits, from the Hub or from the files of ``data_dir``.

    Raises:
        UserError: The Hub cannot be reached, or a file is missing or broken.
    """
    splits = {}
    for split in BENCHMARKS[benchmark].files:
        try:
            rows = split_rows(benchmark, split, data_dir)
        except UserError:
            if split not in BENCHMARKS[benchmark].optional:
                raise
            rows = []  # Examples that nobody may ask for.
        splits[split] = Dataset.from_list(rows)
    return splits
