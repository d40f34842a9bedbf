"""Stages whose shards a cluster does end in the manifests of a local run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from judge_lightning.court.dataset.tables import DatasetWriter
from judge_lightning.court.records import LabelledTuple, Prompt, write_records
from judge_lightning.crew import Crew
from judge_lightning.heads import HeadConfig, JudgeHead
from judge_lightning.models.fingerprint import fingerprint
from pipelines.config import (
    DrafterConfig,
    EngineConfig,
    EvalConfig,
    ModelConfig,
    PairConfig,
    RayConfig,
    RunConfig,
    VerifierConfig,
)
from pipelines.crew.ray_crew import RayCrew
from pipelines.manifest import Manifest, Provenance
from pipelines.stage import QuietRecorder, Stage, StageContext
from pipelines.stages import annotate, decode, embed, mine
from pipelines.store import ArtifactStore, artifact_key

COUNT = 10


@pytest.fixture(scope="module")
def config(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_llama: Callable[[int], LlamaForCausalLM],
    byte_tokenizer: PreTrainedTokenizerFast,
) -> RunConfig:
    """A tiny random pair with a judge; a log, the references and both models answer."""
    root = tmp_path_factory.mktemp("pair")
    for seed, name in enumerate(("target", "draft")):
        tiny_llama(seed).save_pretrained(root / name)
        byte_tokenizer.save_pretrained(root / name)
    torch.manual_seed(2)
    shape = HeadConfig(32, 1, 2, target=fingerprint(str(root / "target")))
    JudgeHead.from_weights(torch.randn(32), 0.0, shape).save_pretrained(root / "judge")
    said = [{"prompt": f"{n} + {n}?", "answer": [f"{n} + {n} = {2 * n + 1}. So {2 * n + 1}."]}
            for n in range(COUNT)]  # fmt: skip
    (root / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in said))
    config = RunConfig(
        exp="test",
        pair=PairConfig("tiny", *(ModelConfig(str(root / name)) for name in ("target", "draft"))),
        verifier=VerifierConfig(name="all"),
        engine=EngineConfig(
            name="eager", draft_length=4, max_new_tokens=10, device="cpu", workers=1, shard_size=3,
            judge_path=str(root / "judge"),
        ),
        eval=EvalConfig(name="tiny", headline="word"),
    )  # fmt: skip
    config.data.name = "test"
    config.data.max_rejected = 1.0
    config.mine.shard_size, config.mine.max_new_tokens, config.mine.minimum_tuples = 4, 6, 1
    config.mine.reference_answers = True
    config.mine.drafters = {
        "draft": DrafterConfig(temperature=1.0, samples=2),
        "log": DrafterConfig(kind="text", path=str(root / "log.jsonl")),
    }
    config.annotate.name = "calculator"
    config.embed.shard_tokens = 30
    config.launch.ray = RayConfig()
    return config


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Prompts for the court and held-out ones, and a data set that does not follow from them."""
    root = tmp_path_factory.mktemp("inputs")
    (root / "prompts").mkdir()
    prompts = [
        Prompt(
            f"p{n}", f"{n} + {n}?", f"{n} + {n} = {2 * n}. So {2 * n}.", "word",
            "train" if n < COUNT else "eval", {"checker": "final_number"},
        )
        for n in range(COUNT + 7)
    ]  # fmt: skip
    write_records(root / "prompts" / "prompts.jsonl", prompts)
    writer = DatasetWriter(root / "dataset")
    for number in range(12):
        writer.write(labelled(number))
    writer.close()
    return {"prompts": root / "prompts", "dataset": root / "dataset", "calibrate": root / "none"}


def labelled(number: int) -> LabelledTuple:
    return LabelledTuple(
        prompt_id=f"p{number}", family="word", split="train", drafter="draft",
        prompt_ids=[9, 8, 7][: 1 + number % 3],
        correct_text="", correct_ids=[3 + (number * 7 + n) % 200 for n in range(6)],
        correct_labels=[1] * 6,
        wrong_text="", wrong_ids=[3 + (number * 11 + n) % 200 for n in range(5)],
        wrong_labels=[1, 1, 1, 0, -100],
        mistake_characters=(0, 1), mistake_tokens=(3, 4), confidence=1.0, evidence="",
    )  # fmt: skip


def published(
    stage: Stage, config: RunConfig, inputs: Mapping[str, Path], root: Path, crew: Crew | None
) -> Manifest:
    """What the pipeline publishes, without the stages in front."""
    settings = stage.settings(config)
    read = {name: f"key of {name}" for name in stage.reads if name in inputs}
    key = artifact_key(stage.name, stage.version, settings, read)
    with ArtifactStore(root).writer(stage.name, key) as writer:
        context = StageContext(config, inputs, writer.work, QuietRecorder(), crew=crew)
        stage.run(context)
        metrics = context.recorder.values  # type: ignore[attr-defined]
        provenance = Provenance(stage.version, settings, read, metrics)
        return writer.publish(provenance, frozenset(context.volatile)).manifest


def same(manifest: Manifest) -> dict[str, object]:
    """All that does not hold a time."""
    files = {
        name: None if entry.volatile else entry.sha256 for name, entry in manifest.files.items()
    }
    timed = ("seconds", "speedup", "per_second")
    metrics = {
        name: value
        for name, value in manifest.metrics.items()
        if not any(word in name for word in timed)
    }
    return {"key": manifest.key, "inputs": manifest.inputs, "files": files, "metrics": metrics}


STAGES: list[Stage] = [mine.STAGE, annotate.STAGE, embed.STAGE, decode.STAGE]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_cluster_publishes_the_manifest_of_a_local_run(
    stage: Stage,
    config: RunConfig,
    inputs: Mapping[str, Path],
    joined: RayConfig,
    tmp_path: Path,
) -> None:
    assert stage.in_shards
    inputs = dict(inputs)
    if stage is annotate.STAGE:
        mined = published(mine.STAGE, config, inputs, tmp_path, None)
        inputs["mine"] = ArtifactStore(tmp_path).path("mine", mined.key)
    local = published(stage, config, inputs, tmp_path / "local", None)
    away = published(stage, config, inputs, tmp_path / "away", RayCrew(joined, 2))

    assert same(away) == same(local)
    shards = [name for name in local.files if "-0000" in name]
    assert len(shards) > 2
