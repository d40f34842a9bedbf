"""What each decoder wrote to each prompt, and how long it took: records, and how to read them.

Texts and verdicts are reproducible and timings are not, so they live in separate files:
``generations-<decoder>-00000.jsonl`` and ``timings-00000.jsonl``, with the bare passes that were
measured between the prompts in ``bounds-00000.jsonl``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

TIMINGS = "timings"
BOUNDS = "bounds"


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

    ``draft_seconds``, ``verify_seconds`` and ``judge_seconds`` are each cycle's parts; empty where
    nothing is proposed, where the device tells none, and in older files.
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
    draft_seconds: list[float] = field(default_factory=list)
    verify_seconds: list[float] = field(default_factory=list)
    judge_seconds: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Bound:
    """Seconds of M bare draft forwards and of a bare target forward over M + 1 tokens.

    Measured once after the prompt was answered, behind half of its answer, M being the draft
    length and ``engine`` what runs the models.
    """

    prompt_id: str
    draft: float
    target: float
    engine: str

    @property
    def seconds(self) -> float:
        """Of all of them: what a cycle takes at least."""
        return self.draft + self.target


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


def read_bounds(folder: Path) -> Iterator[Bound]:
    """Reads the bounds of all shards; none where an older folder has no such files."""
    for path in sorted(folder.glob(f"{BOUNDS}-*.jsonl")):
        yield from read_rows(path, Bound)


def read_rows(path: Path, kind: type[R]) -> Iterator[R]:
    """Reads the dataclasses of a JSON Lines file, one object a line."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield kind(**json.loads(line))
