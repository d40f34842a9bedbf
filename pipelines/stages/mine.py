"""mine: answers of the target and of every drafter to the court's prompts, each checked."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge_lightning.court.records import Answer, Prompt, read_records, write_records
from judge_lightning.court.rejects import read_rejected, refuse_too_many
from judge_lightning.court.stretches import COURT_SPLITS
from judge_lightning.errors import UserError
from judge_lightning.models.location import locate
from pipelines.authors import (
    REFERENCE,
    author_settings,
    authors_of,
    check_vocabularies_of,
    longest_context,
    text_bytes,
    validate_authors,
)
from pipelines.chat import chat_settings, load_chat, validate_chat
from pipelines.config import RunConfig
from pipelines.drafting import (
    CourtPrompts,
    Desk,
    keep_usage,
    read_note,
    replace_rejected,
)
from pipelines.durable import UNFINISHED_SUFFIX
from pipelines.pair import template_digest
from pipelines.stage import Stage, StageContext
from pipelines.stand_in import model_fingerprint, seed_of
from pipelines.work_folder import SCRATCH

if TYPE_CHECKING:
    from judge_lightning.court.chat import Chat


@dataclass(frozen=True)
class _Shard:
    """One author's answers to one stretch of the prompts."""

    work: Path
    author: str
    number: int

    @property
    def name(self) -> str:
        return f"{self.author}-{self.number:05d}"

    @property
    def answers(self) -> Path:
        return self.work / f"answers-{self.name}.jsonl"

    @property
    def rejected(self) -> Path:
        return self.work / f"rejected-{self.name}.jsonl"


class Mine(Stage):
    """Writes ``answers-<author>-<number>.jsonl`` for every stretch of the prompts, beside it
    ``rejected-<author>-<number>.jsonl`` where something could not be used, and
    ``statistics.json``.

    A shard gets its name when it is complete; a run that finds it there goes on behind it.
    """

    name = "mine"
    version = 2
    reads = ("prompts",)

    def settings(self, config: RunConfig) -> dict[str, Any]:
        """The authors with their models and how they write.

        ``minimum_tuples`` judges the answers but does not change them: ``annotate``, which is
        cheap to repeat, has it in its key and asks again.
        """
        checker = config.mine.checker_chat
        return {
            "authors": {
                name: author_settings(config, author) for name, author in authors_of(config).items()
            },
            "tokenizer": model_fingerprint(seed_of(config.pair.target)),
            "chat_template": template_digest(config.pair),
            "max_new_tokens": config.mine.max_new_tokens,
            "longest": longest_context(config),
            "shard_size": config.mine.shard_size,
            "seed": config.mine.seed,
            "checker_chat": None if checker is None else chat_settings(config, checker),
        }

    def validate(self, config: RunConfig) -> None:
        """Checks the drafters, and that all models among them share the target's vocabulary."""
        validate_authors(config)
        if config.mine.checker_chat is not None:
            validate_chat("mine.checker_chat", config.mine.checker_chat)
        for field_name in ("max_new_tokens", "shard_size", "batch_size"):
            if getattr(config.mine, field_name) < 1:
                raise UserError(f"mine.{field_name}", "must be positive", "give 1 or more")
        if config.mine.longest < 0:
            raise UserError("mine.longest", "is negative", "0 takes what the target can read")
        if not 0.0 <= config.data.max_rejected <= 1.0:
            raise UserError(
                "data.max_rejected", f"{config.data.max_rejected} is no share", "give 0 to 1"
            )
        # A plan is made without the network: the vocabularies of Hub models wait for the run.
        if not (config.dry_run and isinstance(locate(config.pair.target.path), str)):
            check_vocabularies_of(config)

    def disk_bytes(self, config: RunConfig) -> int:
        """Texts become answers with their token ids, and what is wrong is kept beside."""
        return super().disk_bytes(config) + 6 * text_bytes(config)

    def run(self, context: StageContext) -> None:
        """Writes the shards that are missing, author by author."""
        prompts = CourtPrompts(
            context.inputs["prompts"] / "prompts.jsonl", context.config.mine.shard_size
        )
        if not prompts.count:
            raise UserError(
                "data.shares", "leave no prompts for the court", f"give {COURT_SPLITS} a share"
            )
        shards = [
            _Shard(context.work, author, number)
            for author in authors_of(context.config)
            for number in range(prompts.stretches)
        ]
        missing = [shard for shard in shards if not _is_done(context.config, shard)]
        if missing:
            _write_shards(context, prompts, missing, done=len(shards) - len(missing))
        _summarise(context, prompts.stretches)


def _is_done(config: RunConfig, shard: _Shard) -> bool:
    """What an endpoint failed to answer is asked again when the stage is taken up again."""
    from judge_lightning.court.chat.replies import PASSING

    if not shard.answers.exists():
        return False
    if authors_of(config)[shard.author].kind != "endpoint":
        return True
    return not any(one.reason in PASSING for one in read_rejected(shard.rejected))


def _write_shards(
    context: StageContext, prompts: CourtPrompts, missing: list[_Shard], done: int
) -> None:
    from judge_lightning.court.checkers import load_checkers
    from judge_lightning.court.drafters.drafts import check_drafts

    names = list(dict.fromkeys(shard.author for shard in missing))
    desk = Desk(context.config, prompts, context.work, names)
    checkers = load_checkers(
        _checker_chat(context),
        workers=os.cpu_count() or 1,
        allow_code=context.config.mine.allow_code,
    )
    checkers.require(prompts.checkers)
    opened, author = None, None
    tokens, began = 0, time.perf_counter()
    for shard, stretch in context.recorder.progress(
        _in_turn(prompts, missing), total=len(missing) + done, unit="shard", done=done
    ):
        if opened != shard.author:
            author = None
            author, opened = desk.open(shard.author), shard.author
        assert author is not None
        before = desk.usage(shard.author)
        drafts = author.write(stretch)
        answers, rejected = check_drafts(
            shard.author, drafts, checkers, only_right=shard.author == REFERENCE
        )
        usage = desk.usage(shard.author)
        if usage is not None and before is not None:
            keep_usage(context.work, shard.name, usage, before)
        replace_rejected(shard.rejected, rejected)
        unfinished = shard.answers.with_suffix(UNFINISHED_SUFFIX)
        write_records(unfinished, answers)
        unfinished.replace(shard.answers)
        tokens += sum(len(answer.token_ids) for answer in answers)
    if tokens:
        context.recorder.metric("tokens_per_second", tokens / (time.perf_counter() - began))


def _in_turn(prompts: CourtPrompts, missing: list[_Shard]) -> Iterator[tuple[_Shard, list[Prompt]]]:
    """The missing shards with their prompts, one author after the other."""
    for author in dict.fromkeys(shard.author for shard in missing):
        shards = {shard.number: shard for shard in missing if shard.author == author}
        for number, stretch in prompts.stretch(set(shards)):
            yield shards[number], stretch


def _checker_chat(context: StageContext) -> Callable[[], Chat] | None:
    chat = context.config.mine.checker_chat
    if chat is None:
        return None

    def load() -> Chat:
        scratch = context.work / SCRATCH
        scratch.mkdir(exist_ok=True)
        journal = scratch / "checker.jsonl"
        return load_chat(context.config, "mine.checker_chat", chat, journal=journal)

    return load


@dataclass
class _Counts:
    """What all shards hold, by author."""

    answers: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    rejected: dict[str, Counter[str]] = field(default_factory=dict)
    endpoints: dict[str, Counter[str]] = field(default_factory=dict)
    unused: dict[str, dict[str, int]] = field(default_factory=dict)
    prompts: int = 0
    tuples: int = 0

    @property
    def accuracy(self) -> dict[str, float]:
        return {author: self.right[author] / count for author, count in self.answers.items()}

    @property
    def reasons(self) -> dict[str, int]:
        return dict(sum(self.rejected.values(), Counter()).most_common())

    def statistics(self) -> dict[str, Any]:
        return {
            "accuracy": self.accuracy,
            "answers": dict(self.answers),
            "tokens": dict(self.tokens),
            "prompts": self.prompts,
            "tuples": self.tuples,
            "rejected": {author: dict(counts) for author, counts in self.rejected.items()},
            "unused": self.unused,
            "endpoints": {author: dict(spent) for author, spent in self.endpoints.items()},
        }


def _summarise(context: StageContext, stretches: int) -> None:
    from judge_lightning.court.tuples import require_tuples

    counts = _count(context, stretches)
    (context.work / "statistics.json").write_text(
        json.dumps(counts.statistics(), indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )
    metric = context.recorder.metric
    for author, share in counts.accuracy.items():
        metric(f"accuracy_{author}", share)
    metric("answers", counts.answers.total())
    metric("tokens", counts.tokens.total())
    metric("tuples", counts.tuples)
    metric("rejected", sum(counts.reasons.values()))
    for reason, count in counts.reasons.items():
        metric(f"rejected_{reason.replace(' ', '_')}", count)
    for name, value in sum(counts.endpoints.values(), Counter()).items():
        metric(name, value)
    config = context.config
    total = counts.answers.total() + sum(counts.reasons.values())
    refuse_too_many("mine.drafters", counts.reasons, total, config.data.max_rejected)
    require_tuples(counts.tuples, config.mine.minimum_tuples)


def _count(context: StageContext, stretches: int) -> _Counts:
    """Reads one stretch of the answers at a time: the tuples of a prompt lie within it."""
    from judge_lightning.court.tuples import count_tuples

    counts = _Counts()
    authors = authors_of(context.config)
    for number in range(stretches):
        answers_of: dict[str, list[Answer]] = {}
        for author in authors:
            shard = _Shard(context.work, author, number)
            for answer in read_records(shard.answers, Answer):
                answers_of.setdefault(answer.prompt_id, []).append(answer)
                counts.answers[author] += 1
                counts.right[author] += answer.right
                counts.tokens[author] += len(answer.token_ids)
            _add_rejected(counts, author, shard.rejected)
            if spent := read_note(context.work / SCRATCH / f"usage-{shard.name}.json"):
                counts.endpoints.setdefault(author, Counter()).update(spent)
        counts.prompts += len(answers_of)
        counts.tuples += count_tuples(answers_of)
    for author in authors:
        _add_rejected(counts, author, context.work / f"rejected-{author}-file.jsonl")
        if unused := read_note(context.work / SCRATCH / f"unused-{author}.json"):
            counts.unused[author] = unused
    return counts


def _add_rejected(counts: _Counts, author: str, path: Path) -> None:
    reasons = Counter(one.reason for one in read_rejected(path))
    if reasons:
        counts.rejected.setdefault(author, Counter()).update(reasons)


STAGE = Mine()
