"""Speed: the same decoders over some of the prompts, on models that cost what large ones cost."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

from judge_lightning.errors import UserError
from pipelines.config import RunConfig
from pipelines.judge_heads import check_growable
from pipelines.stage import Stage, StageContext
from pipelines.stages import decode
from pipelines.stand_in import check_stand_ins, describe_stand_in, timed_run

AGREEMENT = "agreement.json"


class Speed(Stage):
    """Reads prompts, judge and generations; writes generations and timings of the stand-in.

    Its answers have to be those that ``decode`` has written: how many are not is counted.
    """

    name = "speed"
    version = 2
    reads = ("prompts", "calibrate", "certify", "decode")
    in_shards = True

    def wanted(self, config: RunConfig) -> bool:
        return timed_run(config) is not None

    def settings(self, config: RunConfig) -> dict[str, Any]:
        return {
            **decode.STAGE.settings(_timed(config)),
            "prompts": config.speed.prompts,
            "headline": config.eval.headline,
        }

    def validate(self, config: RunConfig) -> None:
        from evals.decoders import check_engine

        for name in ("prompts", "shard_size"):
            value = getattr(config.speed, name)
            if value < 1:
                raise UserError(f"speed.{name}", f"is {value}", "give at least 1")
        timed = _timed(config)
        if not describe_stand_in(timed.pair):
            raise UserError(
                "speed.pair", f"{timed.pair.name} is no stand-in", "name one, or use speed=none"
            )
        try:
            check_stand_ins(timed.pair)
            check_growable(timed)
            reading = decode.decoders_reading_draft(timed)
            check_engine(timed.engine.kind, timed.engine.temperature, reading)
        except UserError as error:
            field = "speed.engine" if error.field == "engine.kind" else f"speed.{error.field}"
            remedy = f"{error.remedy}, or speed=none to measure {config.pair.name} itself"
            raise UserError(field, error.problem, remedy) from None

    def run(self, context: StageContext) -> None:
        from evals.speed import spread_evenly

        headline = context.config.eval.headline
        prompts = decode.held_out_prompts(context)
        chosen = spread_evenly(
            [prompt for prompt in prompts if prompt.family == headline],
            context.config.speed.prompts,
        )
        decode.answer(replace(context, config=_timed(context.config)), chosen, "speed.engine")
        _record(context)


def _timed(config: RunConfig) -> RunConfig:
    timed = timed_run(config)
    assert timed is not None, "the stage is not wanted"
    return timed


def _record(context: StageContext) -> None:
    from evals.generations import read_generations, read_timings
    from evals.speed import decoder_statistics, differing_answers

    generations, reference = (
        {name: list(read_generations(folder, name)) for name in context.config.verifier.decoders}
        for folder in (context.work, context.inputs["decode"])
    )
    differing = differing_answers(generations, reference)
    agreement = {"tokens_differ": len(differing), "differing": differing}
    text = json.dumps(agreement, indent=1)
    (context.work / AGREEMENT).write_text(text + "\n", encoding="utf-8")
    timings = list(read_timings(context.work))
    context.recorder.metric("tokens_differ", len(differing))
    context.recorder.metric("compile_seconds", sum(row.compile_seconds for row in timings))
    for decoder, row in decoder_statistics(generations, timings).items():
        for name, value in asdict(row).items():
            context.recorder.metric(f"{decoder}/{name}", value)


STAGE = Speed()
