"""Shards that a benchmark gives to a crew, and that say when and by whom they were done."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from judge_lightning.crew import Shard, beside


@dataclass(frozen=True)
class Done:
    """When (seconds since the epoch) a process was at a shard, and its processor seconds."""

    process: int
    began: float
    ended: float
    processor: float

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass(frozen=True)
class Empty:
    """Does nothing, with something to carry."""

    number: int
    load: bytes = b""

    @property
    def name(self) -> str:
        return f"empty-{self.number}"

    def do(self, bench: Any) -> Iterator[None]:
        yield


@dataclass(frozen=True)
class Waiting:
    """Waits as the driver of an accelerator does, which leaves the cores to others."""

    number: int
    seconds: float

    @property
    def name(self) -> str:
        return f"waiting-{self.number}"

    def do(self, bench: Any) -> Iterator[None]:
        time.sleep(self.seconds)
        yield


@dataclass(frozen=True)
class Timed:
    """Another shard, with a note in ``folder``."""

    shard: Shard[Any]
    folder: Path

    @property
    def name(self) -> str:
        return self.shard.name

    def do(self, bench: Any) -> Iterator[None]:
        began, processor = time.time(), time.process_time()
        yield from self.shard.do(bench)
        done = Done(os.getpid(), began, time.time(), time.process_time() - processor)
        path = self.folder / f"{self.name}.json"
        unfinished = beside(path)
        unfinished.write_text(json.dumps(asdict(done)), encoding="utf-8")
        unfinished.replace(path)


def read_done(folder: Path) -> list[Done]:
    """All notes, in the order of their ends."""
    notes = (json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json"))
    return sorted((Done(**note) for note in notes), key=lambda done: done.ended)


def steady_rate(done: list[Done]) -> float:
    """Shards a second while every process was at work: none was still starting or had ended."""
    first: dict[int, float] = {}
    last: dict[int, float] = {}
    for one in done:
        first.setdefault(one.process, one.began)
        last[one.process] = one.ended
    start, end = max(first.values()), min(last.values())
    at_work = sum(max(0.0, min(one.ended, end) - max(one.began, start)) / one.seconds
                  for one in done)  # fmt: skip
    return at_work / (end - start)
