"""Shards that cost nothing, keep a record of who began them, and get into trouble as told."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from judge_lightning.crew import beside
from judge_lightning.errors import UserError

BEGUN, OPENED, GO = "begun", "opened", "go"


@dataclass(frozen=True)
class Toy:
    """Writes its number, after ``GO`` lies in the folder where it ``waits``."""

    folder: Path
    number: int
    trouble: str = ""

    WAITS: ClassVar = "waits"

    @property
    def name(self) -> str:
        return f"toy-{self.number}"

    @property
    def result(self) -> Path:
        return self.folder / f"{self.name}.txt"

    def do(self, bench: str) -> Iterator[None]:
        again = self.number in begun(self.folder)
        note(self.folder / BEGUN, f"{self.number} {os.getpid()} {bench}")
        if self.trouble == "dies" or (self.trouble == "dies once" and not again):
            os._exit(1)
        if self.trouble == "mistake":
            raise UserError("a.field", "is wrong", "mend it")
        if self.trouble == "fails":
            raise ValueError("seven is no colour\nand has\nthree lines")
        while self.trouble == self.WAITS and not (self.folder / GO).exists():
            time.sleep(0.01)
        unfinished = beside(self.result)
        unfinished.write_text(f"{self.number}\n")
        unfinished.replace(self.result)
        yield
        yield


@dataclass(frozen=True)
class Opening:
    """Makes the bench, the node's name, and keeps a record of it."""

    folder: Path
    trouble: str = ""

    def __call__(self) -> str:
        import ray

        node = str(ray.get_runtime_context().get_node_id())
        note(self.folder / OPENED, f"{os.getpid()} {node}")
        if self.trouble:
            raise UserError("pair.target.path", "cannot be loaded", "give another")
        return node


def note(path: Path, line: str) -> None:
    with path.open("a") as file:
        file.write(line + "\n")


def rows(path: Path) -> list[list[str]]:
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def begun(folder: Path) -> list[int]:
    """The numbers of all shards that were begun, as often as they were."""
    return [int(row[0]) for row in rows(folder / BEGUN)]
