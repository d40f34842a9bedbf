"""Baseline: the decoders that ask no judge, decoded once for all the jobs of a sweep.

Wanted where ``engine.share_baselines`` is set. A job then decodes with its own judge alone, and
``decode`` puts the shared answers beside its own. Their timings come from another moment than the
judge's, so a run whose speed matters decodes all of them turn by turn.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pipelines.config import RunConfig
from pipelines.stage import Stage, StageContext
from pipelines.stages import decode


class Baseline(Stage):
    """Reads prompts; writes generations and timings of the decoders without a judge."""

    name = "baseline"
    version = 2
    reads = ("prompts",)
    in_shards = True

    def wanted(self, config: RunConfig) -> bool:
        return config.engine.share_baselines

    def settings(self, config: RunConfig) -> dict[str, Any]:
        return {**decode.STAGE.settings(_unjudged(config)), "judge": None}

    def run(self, context: StageContext) -> None:
        context = replace(context, config=_unjudged(context.config))
        decode.answer(context, decode.held_out_prompts(context), "engine.kind")


def _unjudged(config: RunConfig) -> RunConfig:
    judged = decode.judged_decoders(config)
    names = [name for name in config.verifier.decoders if name not in judged]
    return replace(config, verifier=replace(config.verifier, decoders=names))


STAGE = Baseline()
