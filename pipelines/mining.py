"""The shards of mine: an author's answers to a stretch of prompts, written and checked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from judge_lightning.court.records import Prompt, write_records
from judge_lightning.crew import beside
from pipelines.authors import REFERENCE
from pipelines.chat import load_chat
from pipelines.config import RunConfig
from pipelines.drafting import CourtPrompts, Desk, keep_usage, replace_rejected
from pipelines.work_folder import SCRATCH

if TYPE_CHECKING:
    from judge_lightning.court.chat import Chat
    from judge_lightning.court.drafters import Author


@dataclass(frozen=True)
class MineShard:
    """One author's answers to one stretch of the prompts, as files below ``work``."""

    work: Path
    author: str
    number: int

    @property
    def name(self) -> str:
        """``<author>-<number>``."""
        return f"{self.author}-{self.number:05d}"

    @property
    def answers(self) -> Path:
        """Written last."""
        return self.work / f"answers-{self.name}.jsonl"

    @property
    def rejected(self) -> Path:
        """Not there where nothing was rejected."""
        return self.work / f"rejected-{self.name}.jsonl"


@dataclass(frozen=True)
class AskedShard:
    """A shard that is to be written, with the prompts of its stretch."""

    shard: MineShard
    prompts: list[Prompt]

    @property
    def name(self) -> str:
        """``<author>-<number>``."""
        return self.shard.name

    def do(self, bench: MineBench) -> Iterator[None]:
        """Writes and checks the answers; yields once."""
        from judge_lightning.court.drafters.drafts import check_drafts

        shard, desk = self.shard, bench.desk
        author = bench.author(shard.author)
        before = desk.usage(shard.author)
        drafts = author.write(self.prompts)
        answers, rejected = check_drafts(
            shard.author, drafts, bench.checkers, only_right=shard.author == REFERENCE
        )
        usage = desk.usage(shard.author)
        if usage is not None and before is not None:
            keep_usage(shard.work, shard.name, usage, before)
        replace_rejected(shard.rejected, rejected)
        unfinished = beside(shard.answers)
        write_records(unfinished, answers)
        unfinished.replace(shard.answers)
        yield


class MineBench:
    """The authors, one of them open at a time, and who checks what they write.

    Args:
        names: The authors that will be asked; endpoints among them are looked at now.
        away: Whether others mine beside it, so that what is kept needs a name of its own.
    """

    def __init__(
        self, config: RunConfig, prompts: CourtPrompts, work: Path, names: list[str], away: bool
    ) -> None:
        from judge_lightning.court.checkers import load_checkers

        self.desk = Desk(config, prompts, work, names)
        self.checkers = load_checkers(
            _checker_chat(config, work, away),
            workers=os.cpu_count() or 1,
            allow_code=config.mine.allow_code,
        )
        self.checkers.require(prompts.checkers)
        self._opened: tuple[str, Author] | None = None

    def author(self, name: str) -> Author:
        """The author of that name; the one before is left."""
        if self._opened is None or self._opened[0] != name:
            self._opened = None  # What it holds is free before the next one needs room.
            self._opened = name, self.desk.open(name)
        return self._opened[1]


def _checker_chat(config: RunConfig, work: Path, away: bool) -> Callable[[], Chat] | None:
    chat = config.mine.checker_chat
    if chat is None:
        return None

    def load() -> Chat:
        scratch = work / SCRATCH
        scratch.mkdir(exist_ok=True)
        # Only one process may write into a journal.
        journal = scratch / (f"checker-{uuid4().hex}.jsonl" if away else "checker.jsonl")
        return load_chat(config, "mine.checker_chat", chat, journal=journal)

    return load
