"""mine: answers of the target and of every drafter to the court's prompts, each checked."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from judge_lightning.court.records import Answer, Prompt, read_records, write_records
from judge_lightning.errors import UserError
from judge_lightning.models.location import locate
from pipelines.config import DrafterConfig, ModelConfig, RunConfig
from pipelines.pair import (
    load_pair_model,
    load_pair_tokenizer,
    model_settings,
    pair_settings,
)
from pipelines.stage import Stage, StageContext
from pipelines.stand_in import model_fingerprint, seed_of

TARGET = "target"
COURT_SPLITS = ("train", "validation", "calibration")


@dataclass(frozen=True)
class _Shard:
    """One author's answers to one stretch of the prompts."""

    author: str
    path: Path
    prompts: list[Prompt]


class Mine(Stage):
    """Writes ``answers-<author>-<number>.jsonl`` and ``statistics.json``.

    A shard gets its name when it is complete; a run that finds it there goes on behind it.
    """

    name = "mine"
    reads = ("prompts",)

    def settings(self, config: RunConfig) -> dict[str, Any]:
        """The authors with their models and how they write.

        ``minimum_tuples`` judges the answers but does not change them: ``annotate``, which is
        cheap to repeat, has it in its key and asks again.
        """
        return {
            "authors": {
                author: {
                    "model": model_settings(_model(config, drafter)),
                    "temperature": drafter.temperature,
                    "samples": drafter.samples,
                }
                for author, drafter in _authors(config).items()
            },
            "tokenizer": model_fingerprint(seed_of(config.pair.target)),
            "chat_template": pair_settings(config.pair)["chat_template"],
            "max_new_tokens": config.mine.max_new_tokens,
            "shard_size": config.mine.shard_size,
            "seed": config.mine.seed,
        }

    def validate(self, config: RunConfig) -> None:
        """Checks the drafters, and that all authors share the target's vocabulary."""
        if not config.mine.drafters:
            raise UserError("mine.drafters", "is empty", "name at least one drafter")
        for author, drafter in config.mine.drafters.items():
            _validate_drafter(f"mine.drafters.{author}", drafter)
        for field in ("max_new_tokens", "shard_size", "batch_size"):
            if getattr(config.mine, field) < 1:
                raise UserError(f"mine.{field}", "must be positive", "give 1 or more")
        # A plan is made without the network: the vocabularies of Hub models wait for the run.
        if not (config.dry_run and isinstance(locate(config.pair.target.path), str)):
            _check_vocabularies(config)

    def run(self, context: StageContext) -> None:
        """Generates the shards that are missing, author by author."""
        prompts = [
            prompt
            for prompt in read_records(context.inputs["prompts"] / "prompts.jsonl", Prompt)
            if prompt.split in COURT_SPLITS
        ]
        if not prompts:
            raise UserError(
                "data.shares", "leave no prompts for the court", f"give {COURT_SPLITS} a share"
            )
        shards = list(_shards(context, prompts))
        missing = [shard for shard in shards if not shard.path.exists()]
        _generate(context, missing, done=len(shards) - len(missing))
        _summarise(context, shards)


def _authors(config: RunConfig) -> dict[str, DrafterConfig]:
    """The target, greedy unless configured otherwise, and the drafters."""
    return {TARGET: DrafterConfig(model=TARGET), **config.mine.drafters}


def _model(config: RunConfig, drafter: DrafterConfig) -> ModelConfig:
    if drafter.model in (TARGET, "draft"):
        return seed_of(config.pair.target if drafter.model == TARGET else config.pair.draft)
    return replace(ModelConfig(), path=drafter.model, dtype=config.pair.draft.dtype)


def _validate_drafter(field: str, drafter: DrafterConfig) -> None:
    if drafter.temperature < 0:
        raise UserError(f"{field}.temperature", f"{drafter.temperature} is negative", "0 is greedy")
    if drafter.samples < 1:
        raise UserError(f"{field}.samples", f"{drafter.samples} gives no answers", "give 1 or more")
    if drafter.temperature == 0 and drafter.samples > 1:
        raise UserError(
            f"{field}.samples",
            f"{drafter.samples} greedy answers are all the same",
            "give samples=1 or a temperature above 0",
        )


def _check_vocabularies(config: RunConfig) -> None:
    from judge_lightning.models.pair import load_tokenizer
    from judge_lightning.models.vocabulary import check_vocabularies

    tokenizer = load_pair_tokenizer(config)
    models = {_model(config, drafter).path: drafter for drafter in config.mine.drafters.values()}
    for path, drafter in models.items():
        if path != config.pair.target.path:
            revision = _model(config, drafter).revision
            check_vocabularies(tokenizer, load_tokenizer(path, revision))


def _shards(context: StageContext, prompts: list[Prompt]) -> Iterator[_Shard]:
    size = context.config.mine.shard_size
    for author in _authors(context.config):
        for number, start in enumerate(range(0, len(prompts), size)):
            path = context.work / f"answers-{author}-{number:05d}.jsonl"
            yield _Shard(author, path, prompts[start : start + size])


def _generate(context: StageContext, shards: list[_Shard], done: int) -> None:
    from judge_lightning.court.drafters import Drafter, generate_answers

    config = context.config
    tokenizer = load_pair_tokenizer(config)
    loaded = model = None
    tokens, began = 0, time.perf_counter()
    for shard in context.recorder.progress(
        shards, total=len(shards) + done, unit="shard", done=done
    ):
        drafter = _authors(config)[shard.author]
        if loaded != _model(config, drafter).path:
            model = None  # The last model leaves the memory before the next one needs it.
            model = load_pair_model(config, _model(config, drafter))
            loaded = _model(config, drafter).path
        assert model is not None
        answers = generate_answers(
            model,
            tokenizer,
            shard.prompts,
            Drafter(shard.author, drafter.temperature, drafter.samples),
            max_new_tokens=config.mine.max_new_tokens,
            batch_size=config.mine.batch_size,
            seed=config.mine.seed,
        )
        unfinished = shard.path.with_suffix(".unfinished")
        write_records(unfinished, answers)
        unfinished.replace(shard.path)
        tokens += sum(len(answer.token_ids) for answer in answers)
    if tokens:
        context.recorder.metric("tokens_per_second", tokens / (time.perf_counter() - began))


def _summarise(context: StageContext, shards: list[_Shard]) -> None:
    from judge_lightning.court.tuples import count_tuples, require_tuples

    answers_of: dict[str, list[Answer]] = {}
    right: dict[str, list[bool]] = {}
    for shard in shards:
        for answer in read_records(shard.path, Answer):
            answers_of.setdefault(answer.prompt_id, []).append(answer)
            right.setdefault(answer.author, []).append(answer.right)
    accuracy = {author: sum(flags) / len(flags) for author, flags in right.items()}
    tuples = count_tuples(answers_of)
    statistics = {
        "accuracy": accuracy,
        "answers": {author: len(flags) for author, flags in right.items()},
        "prompts": len(answers_of),
        "tuples": tuples,
    }
    (context.work / "statistics.json").write_text(
        json.dumps(statistics, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )
    for author, share in accuracy.items():
        context.recorder.metric(f"accuracy_{author}", share)
    context.recorder.metric("answers", sum(len(flags) for flags in right.values()))
    context.recorder.metric("tuples", tuples)
    require_tuples(tuples, context.config.mine.minimum_tuples)


STAGE = Mine()
