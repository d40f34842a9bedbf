"""A small finished run, each file written by what writes it in a real one."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save_file

from evals.generations import Generation, ShardFiles, Timing
from judge_lightning.calibration import OperatingPoint
from judge_lightning.court.dataset.tables import DatasetWriter
from judge_lightning.court.records import LabelledTuple, Prompt, write_records
from judge_lightning.decoding.trace import Cycle, Trace
from judge_lightning.embeddings import EmbeddingIndex, Shard
from judge_lightning.heads import HeadConfig, JudgeHead
from judge_lightning.layer_scores import LayerScore
from pipelines.manifest import FileEntry, Manifest

LAYERS, HIDDEN, TOKENS = 2, 4, 6
READS = {
    "prompts": [],
    "dataset": ["prompts"],
    "embed": ["dataset"],
    "train": ["embed"],
    "calibrate": ["embed", "train"],
    "decode": ["prompts", "calibrate"],
}
KEYS = {stage: f"{number:x}" * 64 for number, stage in enumerate(READS, start=1)}
PARTS = {"draft_seconds": [0.1], "verify_seconds": [0.09], "judge_seconds": [0.01]}
TRACE = Trace([Cycle([3, 4, 5], 2, [True, False, False], [0.9, 0.8, 0.1], 6, 0.0)], 0.5)


@dataclass(frozen=True)
class RunOnDisk:
    """A run's folder and its store, below the folder in which it was started."""

    start: Path

    @property
    def folder(self) -> Path:
        return self.start / "outputs" / "quickstart" / "2026-01-01_00-00-00"

    def artifact(self, stage: str) -> Path:
        return self.start / "artifacts" / stage / KEYS[stage]


@pytest.fixture
def run_on_disk(tmp_path: Path) -> RunOnDisk:
    made = RunOnDisk(tmp_path / "project")
    for stage, sources in READS.items():
        made.artifact(stage).mkdir(parents=True)
        manifest = Manifest(
            stage=stage,
            key=KEYS[stage],
            version=1,
            settings={"seed": 0},
            inputs={source: KEYS[source] for source in sources},
            files={"data.bin": FileEntry(1, "0" * 64)},
            metrics={"auroc": 0.9},
            timings={"started": "2026-01-01T00:00:00+00:00", "seconds": 1.5},
            origin={},
        )
        (made.artifact(stage) / "manifest.json").write_text(json.dumps(manifest.to_json()))
    _write_court(made)
    _write_judge(made)
    _write_decoded(made.artifact("decode"))
    made.folder.mkdir(parents=True)
    summary = {"pair": "micro", "stages": {stage: {"key": key} for stage, key in KEYS.items()}}
    (made.folder / "summary.json").write_text(json.dumps(summary))
    model = {"path": "micro:target", "shape": {}, "grow": None}
    config = {
        "artifacts_dir": "artifacts",
        "pair": {"name": "micro", "target": model, "draft": {**model, "path": "micro:draft"}},
        "verifier": {"decoders": ["target", "judge"]},
    }
    (made.folder / "config.yaml").write_text(yaml.safe_dump(config))
    (made.start / "outputs" / "latest").symlink_to("quickstart/2026-01-01_00-00-00")
    return made


def _write_court(made: RunOnDisk) -> None:
    prompts = [Prompt(f"p{n}", f"Question {n}?", "4", "word", "eval") for n in range(2)]
    write_records(made.artifact("prompts") / "prompts.jsonl", prompts)
    writer = DatasetWriter(made.artifact("dataset"))
    for split in ("train", "calibration"):
        writer.write(_labelled(split))
    writer.close()
    shards = []
    for number, split in enumerate(("train", "calibration")):
        name = f"shard-{number:05d}.safetensors"
        states = {
            f"layer.{layer}": torch.full((TOKENS, HIDDEN), 10.0 * number + layer)
            for layer in range(LAYERS)
        }
        facts = {
            "labels": torch.tensor([1, 1, 1, 1, 1, 0], dtype=torch.int8),
            "tuple": torch.full((TOKENS,), number, dtype=torch.int32),
            "answer": torch.tensor([0, 0, 0, 1, 1, 1], dtype=torch.int8),
            "position": torch.tensor([0, 1, 2, 0, 1, 2], dtype=torch.int32),
            "prompt": torch.full((TOKENS,), number, dtype=torch.int64),
        }
        save_file(states | facts, made.artifact("embed") / name)
        shards.append(Shard(name, split, 1, TOKENS, 1))
    EmbeddingIndex(LAYERS, HIDDEN, "float32", "t", tuple(shards)).save(made.artifact("embed"))


def _labelled(split: str) -> LabelledTuple:
    return LabelledTuple(
        prompt_id=f"court-{split}",
        family="word",
        split=split,
        drafter="draft",
        prompt_ids=[1, 2],
        correct_text="a b c",
        correct_ids=[3, 4, 5],
        correct_labels=[1, 1, 1],
        wrong_text="a b d",
        wrong_ids=[3, 4, 6],
        wrong_labels=[1, 1, 0],
        mistake_characters=(4, 5),
        mistake_tokens=(2, 3),
        confidence=1.0,
        evidence="",
    )


def _write_judge(made: RunOnDisk) -> None:
    scores = [LayerScore(layer, 3, 0.1, 0.9, 0.8, 0.95, 0.97) for layer in range(LAYERS)]
    text = json.dumps([asdict(score) for score in scores])
    (made.artifact("train") / "layers.json").write_text(text)
    calibrated = made.artifact("calibrate")
    config = HeadConfig(HIDDEN, 1, LAYERS, threshold=0.7)
    JudgeHead(config).save_pretrained(calibrated / "judge")
    points = [OperatingPoint(0.0, 0.0, 1.0), OperatingPoint(1.0, 1.0, 0.0)]
    lines = "".join(json.dumps(asdict(point)) + "\n" for point in points)
    (calibrated / "operating_curve.jsonl").write_text(lines)


def _write_decoded(folder: Path) -> None:
    generations = [
        Generation(
            prompt_id=f"p{number}",
            family="word",
            decoder=decoder,
            text="four",
            token_ids=[3, 4, 6],
            finished=True,
            right=number == 0,
            trace=TRACE.to_json() if decoder == "judge" else None,
        )
        for decoder in ("target", "judge")
        for number in range(2)
    ]
    timings = [
        Timing(
            row.prompt_id,
            row.decoder,
            0.25,
            3,
            [0.25] if row.trace else [0.1, 0.1, 0.05],
            # Timings of before have no parts.
            **(PARTS if row.trace and row.right else {}),
        )
        for row in generations
    ]
    ShardFiles(folder, 0).write(("target", "judge"), generations, timings)
