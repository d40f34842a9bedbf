"""A run over the tiny pair, and a stage run without the pipeline around it."""

from __future__ import annotations

from pathlib import Path

from pipelines.config import (
    EngineConfig,
    EvalConfig,
    ModelConfig,
    PairConfig,
    RunConfig,
    VerifierConfig,
)
from pipelines.stage import QuietRecorder, Stage, StageContext


def tiny_run(pair_folder: Path) -> RunConfig:
    """Four tokens a block, ten an answer, four prompts a shard."""
    return RunConfig(
        exp="test",
        pair=PairConfig(
            "tiny",
            ModelConfig(str(pair_folder / "target")),
            ModelConfig(str(pair_folder / "draft")),
        ),
        verifier=VerifierConfig(name="all"),
        engine=EngineConfig(
            name="eager",
            draft_length=4,
            max_new_tokens=10,
            device="cpu",
            workers=1,
            shard_size=4,
            judge_path=str(pair_folder / "judge"),
        ),
        eval=EvalConfig(name="tiny", headline="word"),
    )


def run(stage: Stage, config: RunConfig, work: Path, **inputs: Path) -> StageContext:
    """Runs a stage in ``work``; what it has recorded is the context's recorder's."""
    work.mkdir(exist_ok=True)
    context = StageContext(config, inputs, work, QuietRecorder())
    stage.run(context)
    return context
