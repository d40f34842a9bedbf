"""Decode: every decoder answers the held-out prompts, with a trace of every cycle."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge_lightning.errors import UserError
from pipelines.config import RunConfig
from pipelines.decoding import (
    decoders_reading_draft,
    judged_decoders,
    load_head,
    prepare_comparison,
    used_rules,
)
from pipelines.draft_length import draft_length_of, draft_length_setting
from pipelines.judge_heads import check_growable, decoding_head
from pipelines.pair import pair_settings
from pipelines.shift import record_shift
from pipelines.stage import Stage, StageContext
from pipelines.stand_in import describe_stand_in, grow_judge, model_fingerprint, seed_of

if TYPE_CHECKING:
    from evals.generations import Generation
    from judge_lightning.court.records import Prompt


class Decode(Stage):
    """Reads prompts and the calibrated judge; writes generations, traces and timings."""

    name = "decode"
    version = 3
    reads = ("prompts", "baseline", "calibrate", "certify")
    in_shards = True

    def settings(self, config: RunConfig) -> dict[str, Any]:
        used = used_rules(config)
        return {
            "pair": pair_settings(config.pair),
            "decoders": list(config.verifier.decoders),
            **({"rules": used} if used else {}),
            **({"prompts": config.engine.prompts} if config.engine.prompts is not None else {}),
            **({"families": config.engine.families} if config.engine.families else {}),
            "draft_length": draft_length_setting(config.engine),
            "max_new_tokens": config.engine.max_new_tokens,
            "temperature": config.engine.temperature,
            "seed": config.seed,
            "shard_size": config.engine.shard_size,
            "judge": judge_digest(config.engine.judge_path),
        }

    def validate(self, config: RunConfig) -> None:
        from evals.decoders import check_decoders, check_engine

        verifier = config.verifier
        check_decoders(verifier.decoders, verifier.rules, lossless=verifier.lossless)
        draft_length_of(config.engine)
        if config.engine.prompts is not None and config.engine.prompts < 1:
            raise UserError("engine.prompts", f"is {config.engine.prompts}", "give at least 1")
        for name in ("max_new_tokens", "shard_size"):
            value = getattr(config.engine, name)
            if value < 1:
                raise UserError(f"engine.{name}", f"is {value}", "give at least 1")
        if config.engine.temperature < 0:
            raise UserError("engine.temperature", "is negative", "give 0 (greedy) or more")
        check_engine(config.engine.kind, config.engine.temperature, decoders_reading_draft(config))
        families = {source.family for source in config.data.sources.values()}
        if config.eval.headline not in families:
            raise UserError(
                "eval.headline",
                f"no source of prompts has the family {config.eval.headline!r}",
                f"use one of {', '.join(sorted(families))}",
            )
        unknown = [one for one in config.engine.families or [] if one not in families]
        if unknown or config.eval.headline not in (config.engine.families or families):
            raise UserError(
                "engine.families",
                f"no source of prompts has the family {unknown[0]!r}"
                if unknown
                else f"the headline's family {config.eval.headline!r} is not among them",
                f"use some of {', '.join(sorted(families))}, {config.eval.headline} among them",
            )
        if config.engine.judge_path is not None:
            seeds = (seed_of(config.pair.target), seed_of(config.pair.draft))
            load_head(Path(config.engine.judge_path), *map(model_fingerprint, seeds))
        check_growable(config)
        _check_mismatch_rules(config)

    def run(self, context: StageContext) -> None:
        prompts = held_out_prompts(context)
        shared = context.inputs.get("baseline")
        if shared is None:
            answer(context, prompts, "engine.kind")
        else:
            _answer_judged(context, prompts, shared)
        record_shift(context, judge_folder(context), _record(context))


def answer(context: StageContext, prompts: list[Prompt], engine_field: str) -> None:
    """Every decoder answers the prompts; generations and timings lie in the stage's folder.

    ``engine_field`` is where the user has set ``engine.kind`` of the context's configuration.
    """
    from evals.comparison import plan_shards, run_comparison

    config = context.config
    shards = plan_shards(prompts, context.work, config.engine.shard_size)
    judge = judge_folder(context) if judged_decoders(config) else None
    comparison, crew = prepare_comparison(config, judge, engine_field, context.crew)
    done = sum(len(shard.prompts) for shard in shards if shard.files.complete(comparison.decoders))
    decoded = run_comparison(comparison, shards, crew)
    for _ in context.recorder.progress(decoded, total=len(prompts), unit="prompts", done=done):
        pass
    context.volatile.update(name for shard in shards for name in shard.files.measured)


def _answer_judged(context: StageContext, prompts: list[Prompt], shared: Path) -> None:
    """Decodes with the judge alone, and takes the other decoders' answers as they are."""
    from evals.comparison import plan_shards

    judged = judged_decoders(context.config)
    if judged:
        verifier = replace(context.config.verifier, decoders=judged)
        config = replace(context.config, verifier=verifier)
        answer(replace(context, config=config), prompts, "engine.kind")
    others = [name for name in context.config.verifier.decoders if name not in judged]
    for shard in plan_shards(prompts, context.work, context.config.engine.shard_size):
        shard.files.take(others, shared)
        context.volatile.update(shard.files.measured)


def _check_mismatch_rules(config: RunConfig) -> None:
    """Raises UserError for a rule that needs another kind of judge than the one that decodes."""
    from judge_lightning.decoding.verifiers.registry import needs_mismatch_head

    for name, spec in used_rules(config).items():
        if needs_mismatch_head(spec) and not decoding_head(config).mismatches_only:
            raise UserError(
                f"verifier.rules.{name}",
                "needs a head that is trained on mismatches",
                "use judge=autojudge",
            )


def held_out_prompts(context: StageContext) -> list[Prompt]:
    """The prompts of the ``eval`` split, ``engine.prompts`` of each family.

    Raises:
        UserError: None of them is of the headline's family, or some can only be checked by a model
            or by running code.
    """
    from judge_lightning.court.records import Prompt, read_records

    file, headline = context.inputs["prompts"] / "prompts.jsonl", context.config.eval.headline
    families = context.config.engine.families
    prompts = [
        prompt
        for prompt in read_records(file, Prompt)
        if prompt.split == "eval" and (not families or prompt.family in families)
    ]
    if not any(prompt.family == headline for prompt in prompts):
        raise UserError(
            "data.shares.eval",
            f"there is no held-out prompt of the family {headline!r}",
            "take more prompts or a larger share",
        )
    check_checkers(prompts)
    most = context.config.engine.prompts
    return prompts if most is None else _some_of_each_family(prompts, most)


def check_checkers(prompts: list[Prompt]) -> None:
    """Raises UserError for an answer that only a model or running code can check."""
    from judge_lightning.court.checkers import decides_alone

    for prompt in prompts:
        source, checker = prompt.meta.get("source"), str(prompt.meta.get("checker"))
        if not decides_alone(checker):
            raise UserError(
                f"data.sources.{source}",
                f"its answers are checked by {checker!r}, which decoding cannot ask",
                "leave the source out, or give its prompts another checker",
            )


def _some_of_each_family(prompts: list[Prompt], most: int) -> list[Prompt]:
    from evals.speed import spread_evenly

    families = dict.fromkeys(prompt.family for prompt in prompts)
    chosen = {
        prompt.id
        for family in families
        for prompt in spread_evenly([p for p in prompts if p.family == family], most)
    }
    return [prompt for prompt in prompts if prompt.id in chosen]


def judge_folder(context: StageContext) -> Path:
    """The judge to decode with: the one that is configured, else the one that was trained.

    A stand-in gets its seed's judge, grown with it, in the stage's scratch folder.
    """
    path, pair = context.config.engine.judge_path, context.config.pair
    trained = context.inputs.get("certify") or context.inputs["calibrate"]
    folder = Path(path) if path is not None else trained / "judge"
    if not describe_stand_in(pair):
        return folder
    return grow_judge(folder, pair.target, context.work / "scratch" / "judge", pair.draft)


def judge_digest(path: str | None) -> str | None:
    """Identifies a judge's folder by its content; None where none is given.

    Raises:
        UserError: It cannot be read.
    """
    if path is None:
        return None
    digest = hashlib.sha256()
    names = ["judge_config.json", "judge.safetensors"]
    if (Path(path) / "shift.safetensors").is_file():
        names.append("shift.safetensors")
    for name in names:
        file = Path(path) / name
        try:
            digest.update(file.read_bytes())
        except OSError as error:
            raise UserError(
                "engine.judge_path",
                f"{file} cannot be read ({error.strerror})",
                "give the folder of a judge (judge.safetensors and judge_config.json)",
            ) from error
    return digest.hexdigest()


def _record(context: StageContext) -> dict[str, list[Generation]]:
    from evals.generations import read_generations, read_timings
    from evals.speed import decoder_statistics

    generations = {
        decoder: list(read_generations(context.work, decoder))
        for decoder in context.config.verifier.decoders
    }
    timings = list(read_timings(context.work))
    context.recorder.metric("compile_seconds", sum(row.compile_seconds for row in timings))
    for family in dict.fromkeys(row.family for row in generations["target"]):
        for decoder, row in decoder_statistics(generations, timings, family=family).items():
            for name, value in asdict(row).items():
                context.recorder.metric(f"{decoder}/{family}/{name}", value)
    return generations


STAGE = Decode()
