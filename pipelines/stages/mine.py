"""mine: answers of the target and of every drafter to the court's prompts, each checked."""

from __future__ import annotations

import itertools
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from judge_lightning.court.records import Answer, read_records
from judge_lightning.court.rejects import read_rejected, refuse_too_many
from judge_lightning.court.stretches import COURT_SPLITS
from judge_lightning.crew import Alone, Crew
from judge_lightning.errors import UserError
from judge_lightning.models.location import locate
from pipelines.authors import (
    author_settings,
    authors_of,
    check_vocabularies_of,
    longest_context,
    text_bytes,
    validate_authors,
)
from pipelines.chat import chat_settings, validate_chat
from pipelines.config import RunConfig
from pipelines.drafting import CourtPrompts, read_note
from pipelines.inference import check_inference, inference_settings
from pipelines.mining import AskedShard, MineBench, MineShard
from pipelines.pair import template_digest
from pipelines.stage import Stage, StageContext
from pipelines.stand_in import model_fingerprint, seed_of
from pipelines.work_folder import SCRATCH


class Mine(Stage):
    """Writes ``answers-<author>-<number>.jsonl`` for every stretch of the prompts, beside it
    ``rejected-<author>-<number>.jsonl`` where something could not be used, and
    ``statistics.json``.

    A shard gets its name when it is complete; a run that finds it there goes on behind it.
    """

    name = "mine"
    version = 2
    reads = ("prompts",)
    in_shards = True

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
            **inference_settings(config),
            "checker_chat": None if checker is None else chat_settings(config, checker),
        }

    def validate(self, config: RunConfig) -> None:
        """Checks the drafters, and that all models among them share the target's vocabulary."""
        validate_authors(config)
        check_inference(config)
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
            MineShard(context.work, author, number)
            for author in authors_of(context.config)
            for number in range(prompts.stretches)
        ]
        missing = [shard for shard in shards if not _is_done(context.config, shard)]
        began = time.perf_counter()
        if missing:
            _write_shards(context, prompts, missing, done=len(shards) - len(missing))
        seconds = time.perf_counter() - began
        counts = _count(context, prompts.stretches, frozenset(missing))
        if counts.new_tokens:
            context.recorder.metric("tokens_per_second", counts.new_tokens / seconds)
        _summarise(context, counts)


def _is_done(config: RunConfig, shard: MineShard) -> bool:
    """What an endpoint failed to answer is asked again when the stage is taken up again."""
    from judge_lightning.court.chat.replies import PASSING

    if not shard.answers.exists():
        return False
    if authors_of(config)[shard.author].kind != "endpoint":
        return True
    return not any(one.reason in PASSING for one in read_rejected(shard.rejected))


def _write_shards(
    context: StageContext, prompts: CourtPrompts, missing: list[MineShard], done: int
) -> None:
    """This process asks what has a journal or a file, whoever carries out the rest."""
    config, crew = context.config, context.crew
    models = [name for name, author in authors_of(config).items() if author.kind == "local"]
    away = [shard for shard in missing if crew is not None and shard.author in models]
    written = itertools.chain(
        _carried_out(context, Alone(), prompts, [one for one in missing if one not in away]),
        _carried_out(context, crew or Alone(), prompts, away),
    )
    for _ in context.recorder.progress(written, total=len(missing) + done, unit="shard", done=done):
        pass


def _carried_out(
    context: StageContext, crew: Crew, prompts: CourtPrompts, shards: list[MineShard]
) -> Iterator[None]:
    names = list(dict.fromkeys(shard.author for shard in shards))
    open_bench = partial(
        MineBench, context.config, prompts, context.work, names, away=crew is context.crew
    )
    return crew.carry_out(open_bench, _in_turn(prompts, shards))


def _in_turn(prompts: CourtPrompts, shards: list[MineShard]) -> Iterator[AskedShard]:
    """The shards with their prompts, one author after the other."""
    for author in dict.fromkeys(shard.author for shard in shards):
        of_author = {shard.number: shard for shard in shards if shard.author == author}
        for number, stretch in prompts.stretch(set(of_author)):
            yield AskedShard(of_author[number], stretch)


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
    new_tokens: int = 0

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


def _summarise(context: StageContext, counts: _Counts) -> None:
    from judge_lightning.court.tuples import require_tuples

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


def _count(context: StageContext, stretches: int, new: frozenset[MineShard]) -> _Counts:
    """Reads one stretch of the answers at a time: the tuples of a prompt lie within it."""
    from judge_lightning.court.tuples import count_tuples

    counts = _Counts()
    authors = authors_of(context.config)
    for number in range(stretches):
        answers_of: dict[str, list[Answer]] = {}
        for author in authors:
            shard = MineShard(context.work, author, number)
            for answer in read_records(shard.answers, Answer):
                answers_of.setdefault(answer.prompt_id, []).append(answer)
                counts.answers[author] += 1
                counts.right[author] += answer.right
                counts.tokens[author] += len(answer.token_ids)
                counts.new_tokens += len(answer.token_ids) if shard in new else 0
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
