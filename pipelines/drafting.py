"""Opening the configured authors, one at a time: models are loaded and left, files are read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge_lightning.court.records import Prompt, read_records
from judge_lightning.court.stretches import COURT_SPLITS
from judge_lightning.crew import beside
from judge_lightning.errors import UserError
from pipelines.authors import REFERENCE, authors_of, endpoint_of, longest_context
from pipelines.chat import load_chat
from pipelines.config import DrafterConfig, ModelConfig, RunConfig
from pipelines.durable import write_json
from pipelines.inference import open_text_model
from pipelines.pair import load_pair_tokenizer, named_model
from pipelines.work_folder import SCRATCH

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from judge_lightning.court.batches import Writer
    from judge_lightning.court.chat import Chat, Usage
    from judge_lightning.court.drafters import Author
    from judge_lightning.court.rejects import Rejected


class CourtPrompts:
    """The court's prompts, in stretches that are read when they are needed."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size
        self.count = 0
        self.checkers: set[str] = set()
        """Who decides whether answers to them are right."""
        for prompt in self.all():
            self.count += 1
            self.checkers.add(str(prompt.meta.get("checker", "")))

    @property
    def stretches(self) -> int:
        """How many there are."""
        return -(-self.count // self._size)

    def all(self) -> Iterator[Prompt]:
        """Every prompt of the court's splits, in the file's order."""
        for prompt in read_records(self._path, Prompt):
            if prompt.split in COURT_SPLITS:
                yield prompt

    def stretch(self, wanted: set[int]) -> Iterator[tuple[int, list[Prompt]]]:
        """The wanted stretches with their numbers, in order."""
        stretch: list[Prompt] = []
        for position, prompt in enumerate(self.all(), start=1):
            stretch.append(prompt)
            if len(stretch) == self._size or position == self.count:
                number = (position - 1) // self._size
                if number in wanted:
                    yield number, stretch
                stretch = []


class Desk:
    """Where authors are called to write: opens them, and keeps what outlives a kill.

    Endpoints are looked at when the desk is set up, so that one that nobody answers is known
    before a model writes for hours.
    """

    def __init__(
        self, config: RunConfig, prompts: CourtPrompts, work: Path, names: Iterable[str]
    ) -> None:
        self._config = config
        self._prompts = prompts
        self._work = work
        self._scratch = work / SCRATCH
        self._tokenizer: PreTrainedTokenizerBase = load_pair_tokenizer(config)
        self._longest = longest_context(config)
        self._model: PreTrainedModel | Writer | None = None
        self._loaded: str | None = None
        self._chats: dict[str, Chat] = {
            name: self._open_chat(name)
            for name in names
            if authors_of(config)[name].kind == "endpoint"
        }

    def open(self, name: str) -> Author:
        """The author of that name, ready to write.

        Raises:
            UserError: A model cannot be loaded, or a file has no answer to any prompt.
        """
        author = authors_of(self._config)[name]
        if author.kind == "endpoint":
            from judge_lightning.court.drafters.endpoint import ChatAuthor

            return ChatAuthor(
                name,
                self._chats[name],
                self._tokenizer,
                max_new_tokens=self._config.mine.max_new_tokens,
                temperature=author.temperature,
                samples=author.samples,
                longest=self._longest,
            )
        if author.kind == "text":
            return self._open_text(name, author)
        if author.kind == REFERENCE:
            from judge_lightning.court.drafters.reference import ReferenceAuthor

            return ReferenceAuthor(name, self._tokenizer, longest=self._longest)
        return self._open_local(name, author)

    def usage(self, name: str) -> Usage | None:
        """What was asked of this author's endpoint so far; None where it has none."""
        chat = self._chats.get(name)
        return None if chat is None else replace(chat.usage)

    def _open_chat(self, name: str) -> Chat:
        self._scratch.mkdir(exist_ok=True)
        return load_chat(
            self._config,
            f"mine.drafters.{name}.endpoint",
            endpoint_of(authors_of(self._config)[name]),
            journal=self._scratch / f"completions-{name}.jsonl",
        )

    def _open_local(self, name: str, author: DrafterConfig) -> Author:
        from judge_lightning.court.drafters.local import Drafter, LocalAuthor

        return LocalAuthor(
            self._load(named_model(self._config, author.model)),
            self._tokenizer,
            Drafter(name, author.temperature, author.samples),
            max_new_tokens=self._config.mine.max_new_tokens,
            batch_size=self._config.mine.batch_size,
            seed=self._config.mine.seed,
            longest=self._longest,
        )

    def _load(self, model: ModelConfig) -> PreTrainedModel | Writer:
        if self._model is None or self._loaded != model.path:
            self._model = None  # The last model leaves the memory before the next one needs it.
            self._model = open_text_model(self._config, model)
            self._loaded = model.path
        return self._model

    def _open_text(self, name: str, author: DrafterConfig) -> Author:
        from judge_lightning.court.drafters.text import TextAuthor, prompt_digest

        assert author.path is not None
        text = TextAuthor(
            name,
            Path(author.path).expanduser(),
            self._tokenizer,
            prompt_field=author.prompt_field,
            answer_field=author.answer_field,
            longest=self._longest,
        )
        asked = {prompt_digest(prompt.text) for prompt in self._prompts.all()}
        replace_rejected(self._work / f"rejected-{name}-file.jsonl", text.index(asked))
        if not text.matched:
            unused = sum(text.unused.values())
            raise UserError(
                f"mine.drafters.{name}.path",
                f"{author.path} answers none of the court's {len(asked)} prompts"
                f" ({unused} answers to others)",
                "name the file of answers to these prompts, or mend prompt_field",
            )
        self._scratch.mkdir(exist_ok=True)
        write_json(self._scratch / f"unused-{name}.json", dict(text.unused))
        return text


def replace_rejected(path: Path, rejected: Iterable[Rejected]) -> None:
    """Writes what was rejected, whole or not at all; no file where there is nothing."""
    from judge_lightning.court.rejects import write_rejected

    unfinished = beside(path)
    if write_rejected(unfinished, rejected):
        unfinished.replace(path)
    else:
        unfinished.unlink()
        path.unlink(missing_ok=True)


def keep_usage(work: Path, shard: str, usage: Usage, before: Usage) -> None:
    """Notes what one shard cost, for a run that is killed later."""
    spent = {name: value - getattr(before, name) for name, value in asdict(usage).items()}
    write_json(work / SCRATCH / f"usage-{shard}.json", spent)


def read_note(path: Path) -> dict[str, Any]:
    """A note of an earlier moment of the stage; empty where there is none."""
    try:
        note: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return note
