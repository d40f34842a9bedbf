"""Writing what each decoder wrote to each prompt: the files of a shard of prompts.

The records and their readers are those of ``judge_lightning.generations``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge_lightning.crew import beside
from judge_lightning.generations import (
    BOUNDS,
    TIMINGS,
    Bound,
    Generation,
    Timing,
    generations_file,
    read_bounds,
    read_generations,
    read_rows,
    read_timings,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = [
    "TIMINGS",
    "Bound",
    "Generation",
    "ShardFiles",
    "Timing",
    "read_bounds",
    "read_generations",
    "read_rows",
    "read_timings",
    "text_of",
    "write_rows",
]


@dataclass(frozen=True)
class ShardFiles:
    """The files of one shard of prompts: one per decoder, one with all timings, one of bounds."""

    folder: Path
    number: int

    def generations(self, decoder: str) -> Path:
        return self.folder / generations_file(decoder, self.number)

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


def write_rows(path: Path, rows: Iterable[Any]) -> None:
    """Writes dataclasses as JSON Lines, beside the name first and then renamed into place."""
    unfinished = beside(path)
    with unfinished.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(asdict(row), ensure_ascii=False, sort_keys=True) + "\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
