"""Opening the configured texts: whose prompts they answer, and how their answers are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from judge_lightning.court.records import Answer, Prompt, read_records
from judge_lightning.court.rejects import Rejected
from judge_lightning.errors import UserError
from pipelines.acceptance import author_of, needs_prompts
from pipelines.config import RunConfig, TextConfig
from pipelines.pair import target_context
from pipelines.stage import StageContext

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from judge_lightning.court.drafters import Author

Read = Callable[[Sequence[Prompt]], tuple[list[Answer], list[Rejected]]]


@dataclass(frozen=True)
class OpenText:
    """A text with the prompts that it answers.

    Attributes:
        checkable: The prompts are the run's own, so that an annotator knows them.
        unread: Lines of its file that hold no answer.
        read: Answers to some of the prompts, and what of them cannot be used. ``right`` of an
            answer says something only where it was mined.
        mined: Whether it was.
    """

    name: str
    prompts: list[Prompt]
    checkable: bool
    unread: list[Rejected]
    read: Read
    mined: bool = False


def open_texts(context: StageContext, tokenizer: PreTrainedTokenizerBase) -> list[OpenText]:
    """Opens the texts of the run, in their configured order.

    Raises:
        UserError: The splits hold no prompts, or a file answers none of them.
    """
    config = context.config
    texts = config.acceptance.texts
    asked: list[Prompt] = []
    if any(needs_prompts(text) for text in texts.values()):
        asked = _run_prompts(context)
    opened = []
    for name, text in texts.items():
        if text.kind == "drafter":
            read = _mined(context, author_of(name, text))
            opened.append(OpenText(name, asked, True, [], read, mined=True))
        elif text.kind == "jsonl":
            opened.append(_open_file(config, name, text, tokenizer, asked))
        else:
            read = _drafts_of(name, _author(config, name, text, tokenizer))
            opened.append(OpenText(name, asked, True, [], read))
    return opened


def _run_prompts(context: StageContext) -> list[Prompt]:
    splits, most = context.config.acceptance.splits, context.config.acceptance.prompts
    file = context.inputs["prompts"] / "prompts.jsonl"
    prompts = [prompt for prompt in read_records(file, Prompt) if prompt.split in splits]
    if not prompts:
        raise UserError(
            "acceptance.splits",
            f"{list(splits)} hold no prompts",
            "name other splits, or give them a share (data.shares)",
        )
    return _some(prompts, most)


def _some(prompts: list[Prompt], most: int | None) -> list[Prompt]:
    from evals.speed import spread_evenly

    return prompts if most is None else spread_evenly(prompts, most)


def _author(
    config: RunConfig, name: str, text: TextConfig, tokenizer: PreTrainedTokenizerBase
) -> Author:
    longest = target_context(config)
    if text.kind == "reference":
        from judge_lightning.court.drafters.reference import ReferenceAuthor

        return ReferenceAuthor(name, tokenizer, longest=longest)
    from judge_lightning.court.drafters.paraphrase import ParaphraseAuthor

    return ParaphraseAuthor(
        name,
        tokenizer,
        dialect=text.dialect,
        samples=text.samples,
        seed=config.seed,
        longest=longest,
    )


def _open_file(
    config: RunConfig,
    name: str,
    text: TextConfig,
    tokenizer: PreTrainedTokenizerBase,
    asked: list[Prompt],
) -> OpenText:
    from judge_lightning.court.drafters.text import TextAuthor, prompt_digest

    assert text.path is not None
    path = Path(text.path).expanduser()
    of_run = needs_prompts(text)
    prompts = asked if of_run else _some(list(_file_prompts(name, text)), config.acceptance.prompts)
    author = TextAuthor(
        name,
        path,
        tokenizer,
        prompt_field=text.prompt_field,
        answer_field=text.answer_field,
        longest=target_context(config),
    )
    unread = list(author.index({prompt_digest(prompt.text) for prompt in prompts}))
    if not author.matched:
        raise UserError(
            f"acceptance.texts.{name}.path",
            f"{text.path} answers none of the run's {len(prompts)} prompts"
            f" ({sum(author.unused.values())} answers to others)",
            f"give acceptance.texts.{name}.prompts=file, or name the file of answers to them",
        )
    return OpenText(name, prompts, of_run, unread, _drafts_of(name, author))


def _file_prompts(name: str, text: TextConfig) -> Iterator[Prompt]:
    """The prompts that a file names, each once; an id is the line that it first stands in."""
    from judge_lightning.court.drafters.text import UnreadableLineError, prompt_digest, read_line

    seen: set[bytes] = set()
    with Path(text.path or "").expanduser().open("rb") as file:
        for number, raw in enumerate(file, start=1):
            try:
                prompt, _ = read_line(raw, text.prompt_field, text.answer_field)
            except UnreadableLineError:
                continue  # The author's index tells.
            digest = prompt_digest(prompt)
            if digest not in seen:
                seen.add(digest)
                yield Prompt(f"{name}:{number}", prompt, "", name, "")


def _drafts_of(name: str, author: Author) -> Read:
    def read(prompts: Sequence[Prompt]) -> tuple[list[Answer], list[Rejected]]:
        drafts = author.write(prompts)
        answers = [
            Answer(
                draft.prompt.id,
                name,
                draft.sample,
                draft.text,
                draft.token_ids,
                draft.finished,
                right=False,
            )
            for draft in drafts.written
        ]
        return answers, drafts.rejected

    return read


def _mined(context: StageContext, author: str) -> Read:
    """Answers of one author, read by the stretches in which they were mined."""
    from judge_lightning.court.stretches import answers_file, read_stretches

    folder = context.inputs["mine"]
    size = context.config.mine.shard_size
    file = context.inputs["prompts"] / "prompts.jsonl"
    stretch_of = {
        prompt.id: stretch.number
        for stretch in read_stretches(file, size)
        for prompt in stretch.prompts
    }

    @lru_cache(maxsize=2)
    def stretch(number: int) -> dict[str, list[Answer]]:
        answers: dict[str, list[Answer]] = {}
        for answer in read_records(folder / answers_file(author, number), Answer):
            answers.setdefault(answer.prompt_id, []).append(answer)
        return answers

    def read(prompts: Sequence[Prompt]) -> tuple[list[Answer], list[Rejected]]:
        found = [
            answer
            for prompt in prompts
            for answer in stretch(stretch_of[prompt.id]).get(prompt.id, ())
        ]
        return found, []

    return read
