"""What each decoder wrote to each prompt, and how long it took: records and shard files.

Texts and verdicts are reproducible and timings are not, so they live in separate files:
``generations-<decoder>-00000.jsonl`` and ``timings-00000.jsonl``, with the bare passes that were
measured between the prompts in ``bounds-00000.jsonl``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

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


@dataclass(frozen=True)
class ShardFiles:
    """The files of one shard of prompts: one per decoder, one with all timings, one of bounds."""

    folder: Path
    number: int

    def generations(self, decoder: str) -> Path:
        return self.folder / f"generations-{decoder}-{self.number:05d}.jsonl"

    @property
    def timings(self) -> Path:
        return self.folder / f"{TIMINGS}-{self.number:05d}.jsonl"

    @property
    def bounds(self) -> Path:
        return self.folder / f"{BOUNDS}-{self.number:05d}.jsonl"

    @property
    def measured(self) -> tuple[str, ...]:
        """Names of the files that differ from run to run."""
        return self.timings.name, self.bounds.name

    def complete(self, decoders: Sequence[str]) -> bool:
        """Whether every file is there: each is renamed into place whole, timings last."""
        return self.timings.is_file() and all(self.generations(d).is_file() for d in decoders)

    def write(
        self,
        decoders: Sequence[str],
        generations: Iterable[Generation],
        timings: Iterable[Timing],
        bounds: Iterable[Bound] = (),
    ) -> None:
        """Writes the shard's files, each beside its name first, then renamed into place."""
        rows = list(generations)
        for decoder in decoders:
            write_rows(self.generations(decoder), [row for row in rows if row.decoder == decoder])
        write_rows(self.bounds, list(bounds))
        write_rows(self.timings, list(timings))

    def take(self, decoders: Sequence[str], folder: Path) -> None:
        """Takes these decoders' generations and timings from the same shard in ``folder``.

        Doing it twice changes nothing.
        """
        theirs = ShardFiles(folder, self.number)
        for decoder in decoders:
            write_rows(
                self.generations(decoder), list(read_rows(theirs.generations(decoder), Generation))
            )
        own = read_rows(self.timings, Timing) if self.timings.is_file() else ()
        kept = [row for row in own if row.decoder not in decoders]
        if not self.bounds.is_file():  # Nothing was decoded beside what is taken.
            write_rows(self.bounds, list(read_rows(theirs.bounds, Bound)))
        write_rows(self.timings, [*read_rows(theirs.timings, Timing), *kept])


def text_of(tokenizer: PreTrainedTokenizerBase, token_ids: Sequence[int]) -> str:
    """The answer's text: what its tokens say, special tokens left out."""
    return str(tokenizer.decode(list(token_ids), skip_special_tokens=True))


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


def write_rows(path: Path, rows: Iterable[Any]) -> None:
    """Writes dataclasses as JSON Lines, beside the name first and then renamed into place."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(asdict(row), ensure_ascii=False, sort_keys=True) + "\n")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def read_rows(path: Path, kind: type[R]) -> Iterator[R]:
    """Reads the dataclasses of one file that ``write_rows`` wrote."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield kind(**json.loads(line))
