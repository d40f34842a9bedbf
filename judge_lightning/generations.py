"""What each decoder wrote to each prompt, and how long it took: records, and how to read them.

Texts and verdicts are reproducible and timings are not, so they live in separate files:
``generations-<decoder>-00000.jsonl`` and ``timings-00000.jsonl``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

TIMINGS = "timings"


@dataclass(frozen=True)
class Generation:
    """One decoder's answer to one prompt.

    ``token_ids`` are the new tokens, with the EOS token when ``finished``. ``trace`` is the
    decoder's ``Trace`` as JSON, without seconds; None where a cycle is just a token. ``shift`` and
    ``draft_shift`` are how unlike the judge's training data the answer is by its embeddings and by
    what the target thinks of its draft tokens, None where nobody watched.
    """

    prompt_id: str
    family: str
    decoder: str
    text: str
    token_ids: list[int]
    finished: bool
    right: bool
    trace: Any
    shift: float | None = None
    draft_shift: float | None = None


@dataclass(frozen=True)
class Timing:
    """Wall-clock seconds of one generation: as a whole (prompt included) and per cycle.

    ``compile_seconds``, which come on top, are what the engine has spent on compilation since
    the process's generation before; the first one's include the warm-up's. ``engine`` ran the
    models.
    """

    prompt_id: str
    decoder: str
    seconds: float
    tokens: int
    cycle_seconds: list[float]
    compile_seconds: float = 0.0
    engine: str = ""


R = TypeVar("R")


def generations_file(decoder: str, number: int) -> str:
    """The name of the file that holds a decoder's answers to one shard of the prompts."""
    return f"generations-{decoder}-{number:05d}.jsonl"


def decoders_in(folder: Path) -> list[str]:
    """The decoders that have generations in a folder, by name."""
    files = folder.glob("generations-*-*.jsonl")
    return sorted({path.stem.split("-", 1)[1].rpartition("-")[0] for path in files})


def read_generations(folder: Path, decoder: str) -> Iterator[Generation]:
    """Reads one decoder's generations of all shards, in the order of the prompts."""
    for path in sorted(folder.glob(f"generations-{decoder}-*.jsonl")):
        yield from read_rows(path, Generation)


def read_timings(folder: Path) -> Iterator[Timing]:
    """Reads the timings of all decoders and shards."""
    for path in sorted(folder.glob(f"{TIMINGS}-*.jsonl")):
        yield from read_rows(path, Timing)


def read_rows(path: Path, kind: type[R]) -> Iterator[R]:
    """Reads the dataclasses of a JSON Lines file, one object a line."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield kind(**json.loads(line))
