"""Made-up artifact folders with the files that the report reads."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from evals.decoders import DECODERS, NO_RULES, Rules, is_speculative
from evals.examples import make_examples, write_examples
from evals.generations import Generation, ShardFiles, Timing, read_generations
from evals.paired import compare_paired
from evals.statistics import proportion
from judge_lightning.court.records import Prompt
from pipelines.manifest import FileEntry, Manifest
from pipelines.report.material import Identity, Material, read_material

LENGTH = 20
ANSWER = (
    "To begin , Tom has 12 apples . Then he buys 7 more apples , which makes 12 + 7 = 19 apples"
    " . After that he gives 4 of them to Ann , so he keeps 19 - 4 = 15 . Next he finds twice as"
    " many on the table , and 15 * 2 = 30 . In the end , the answer is 30 ."
)
WORDS = ANSWER.split()
QUESTION = "Tom has 12 apples. He buys 7 more, gives 4 to Ann and finds twice as many. How many?"
IDENTITY = Identity("quickstart", "micro", "word", LENGTH, 0.0, DECODERS)
TIMED = replace(
    IDENTITY,
    speed_pair="standin_cpu",
    speed_stand_in="target is micro:target grown to 128 wide, 48 layers",
)
SECONDS_PER_TOKEN = {"target": 0.003, "draft": 0.0012, "exact": 0.0034, "judge": 0.0016}


_READS: dict[str, tuple[str, ...]] = {
    "prompts": (),
    "mine": ("prompts",),
    "annotate": ("prompts", "mine"),
    "dataset": ("prompts", "mine", "annotate"),
    "train": ("dataset",),
    "calibrate": ("train",),
    "decode": ("prompts", "calibrate"),
    "evaluate": ("prompts", "decode"),
}
_COURT: dict[str, dict[str, Any]] = {
    "prompts": {"prompts": 320, "filtered": {"duplicate": 12}},
    "mine": {
        "answers": {"target": 300, "draft": 300, "draft_small": 200},
        "accuracy": {"target": 0.99, "draft": 0.65, "draft_small": 0.05},
    },
    "annotate": {"tuples": 290, "left_out": {"no right answer": 5}},
    "dataset": {
        "prompts": 290,
        "tuples": 285,
        "correct_tokens": 29000,
        "mistake_tokens": 300,
        "ignored_tokens": 9000,
        "first_mistake_median": 26.0,
        "first_mistake_deciles": [5, 60, 50, 40, 30, 30, 20, 20, 20, 10],
        "drafters": {"draft": 100, "draft_small": 185},
        "splits": {"train": 200, "validation": 40, "calibration": 45},
        "left_out": {"no right answer": 5},
    },
}
_METRICS = {
    "mine": {"tuples": 612.0, "accuracy_target": 0.99, "accuracy_draft": 0.65}
    | {"accuracy_draft_small": 0.05},
    "dataset": {name: float(value) for name, value in _COURT["dataset"].items() if name in (
        "prompts", "tuples", "correct_tokens", "mistake_tokens", "ignored_tokens",
        "first_mistake_median",
    )},
}  # fmt: skip


@dataclass(frozen=True)
class Scenario:
    """How the made-up run went: mean block per rule, and which prompts each got wrong."""

    block: dict[str, int]
    wrong: dict[str, frozenset[int]]
    prompts: int = 40
    text: str = QUESTION


PLAIN = Scenario(
    block={"exact": 6, "judge": 19},
    wrong={
        "target": frozenset({7}),
        "exact": frozenset({7}),
        "judge": frozenset({7, 11}),
        "draft": frozenset(range(0, 40, 3)),
    },
)


@pytest.fixture
def artifacts(tmp_path: Path) -> dict[str, Path]:
    return write_artifacts(tmp_path / "artifacts", PLAIN)


@pytest.fixture
def material(artifacts: dict[str, Path]) -> Material:
    return read_material(IDENTITY, artifacts)


@pytest.fixture
def stand_in_material(artifacts: dict[str, Path]) -> Material:
    """The same run with a target that was grown."""
    what = "target is micro:target grown to 8192 wide, 40 of 80 layers"
    return read_material(replace(IDENTITY, stand_in=what), artifacts)


@pytest.fixture
def timed_material(artifacts: dict[str, Path]) -> Material:
    """The same run with its speed taken from 10 prompts on a stand-in that is 10 times slower."""
    return read_material(TIMED, {**artifacts, "speed": write_speed(artifacts, differ=0)})


@pytest.fixture
def differing_material(artifacts: dict[str, Path]) -> Material:
    """A stand-in that wrote two other answers than the pair."""
    return read_material(TIMED, {**artifacts, "speed": write_speed(artifacts, differ=2)})


@pytest.fixture
def material_of(tmp_path: Path) -> Callable[..., Material]:
    """Makes the material of a changed scenario."""

    def make(**changes: Any) -> Material:
        folders = write_artifacts(tmp_path / "changed", replace(PLAIN, **changes))
        return read_material(IDENTITY, folders)

    return make


def write_artifacts(root: Path, scenario: Scenario) -> dict[str, Path]:
    stages = ("prompts", "mine", "annotate", "dataset", "train", "calibrate", "decode", "evaluate")
    folders = {stage: root / stage for stage in stages}
    for folder in folders.values():
        folder.mkdir(parents=True)
    _write_court(folders)
    _write_judge(folders["train"], folders["calibrate"])
    generations = _write_decoded(folders["decode"], folders["evaluate"], scenario)
    _write_evaluated(folders["evaluate"], generations)
    for number, (stage, folder) in enumerate(folders.items()):
        manifest = Manifest(
            stage=stage,
            key=f"{number:x}" * 64,
            version=1,
            settings={"seed": 0},
            inputs={read: f"{[*folders].index(read):x}" * 64 for read in _READS[stage]},
            files={"data.bin": FileEntry(10 ** (number + 2), "0" * 64)},
            metrics=_METRICS.get(stage, {}),
            timings={"started": "2025-01-01T00:00:00+00:00", "seconds": 12.5},
            origin={
                "git_commit": "c" * 40,
                "cpus": 2,
                "platform": "Linux",
                "packages": {"torch": "2"},
            },
        )
        (folder / "manifest.json").write_text(json.dumps(manifest.to_json()))
    return folders


def write_speed(artifacts: dict[str, Path], differ: int) -> Path:
    """The speed stage's artifact: decode's first 10 answers, on models that are slower."""
    folder = artifacts["decode"].parent / "speed"
    shutil.copytree(artifacts["calibrate"], folder)
    rows = [
        row for name in DECODERS for row in list(read_generations(artifacts["decode"], name))[:10]
    ]
    slower = {"target": 10, "draft": 1, "exact": 5, "judge": 2}
    timings = [
        Timing(
            row.prompt_id,
            row.decoder,
            len(row.token_ids) * SECONDS_PER_TOKEN["target"] * slower[row.decoder],
            len(row.token_ids),
            [],
            engine="eager",
        )
        for row in rows
    ]
    ShardFiles(folder, 0).write(DECODERS, rows, timings)
    agreement = {"tokens_differ": differ, "differing": [["judge", "word-0"]] * differ}
    (folder / "agreement.json").write_text(json.dumps(agreement))
    return folder


def material_without_judge(
    artifacts: dict[str, Path], decoders: Sequence[str], rules: Rules = NO_RULES
) -> Material:
    """The run as it is when these decoders are all it has, and none of them needs the judge."""
    for name in ("results.json", "paired.json"):
        path = artifacts["evaluate"] / name
        kept = {
            task: {decoder: row for decoder, row in rows.items() if decoder in decoders}
            for task, rows in json.loads(path.read_text()).items()
        }
        path.write_text(json.dumps(kept))
    (artifacts["evaluate"] / "examples.jsonl").unlink(missing_ok=True)
    identity = replace(IDENTITY, decoders=tuple(decoders), rules=rules)
    return read_material(identity, artifacts)


def _write_court(folders: dict[str, Path]) -> None:
    for stage, statistics in _COURT.items():
        (folders[stage] / "statistics.json").write_text(json.dumps(statistics))


def _write_judge(train: Path, calibrate: Path) -> None:
    layers = [
        {
            "layer": layer,
            "epoch": 9,
            "loss": 0.5 - 0.05 * layer,
            "auroc": 0.80 + 0.037 * layer,
            "average_precision": 0.45 + 0.09 * layer,
            "recall": 0.9,
            "kept": 0.95,
        }
        for layer in range(6)
    ]
    (train / "layers.json").write_text(json.dumps(layers))
    (calibrate / "judge").mkdir()
    head = {"hidden_size": 128, "layer": 5, "layers_of_target": 6, "threshold": 0.5}
    (calibrate / "judge" / "judge_config.json").write_text(json.dumps(head))
    chosen = {"rule": "fixed", "threshold": 0.5, "recall": 0.94, "kept": 0.981, "auroc": 0.985}
    counts = {"average_precision": 0.9, "mistakes": 180, "correct": 9120}
    (calibrate / "calibration.json").write_text(json.dumps({**chosen, **counts}))
    with (calibrate / "operating_curve.jsonl").open("w") as file:
        for step in range(101):
            t = step / 100
            point = {"threshold": t, "recall": t**0.12, "kept": (1 - t) ** 0.03}
            file.write(json.dumps(point) + "\n")


def _write_decoded(
    folder: Path, evaluated: Path, scenario: Scenario
) -> dict[str, list[Generation]]:
    prompts = [
        Prompt(
            f"{family}-{i}", scenario.text, "30", family, "eval", {"checker": "micro", "index": i}
        )
        for family, count in (("word", scenario.prompts), ("code", 10), ("choice", 10))
        for i in range(count)
    ]
    generations = {
        decoder: [_generation(decoder, prompt, scenario) for prompt in prompts]
        for decoder in DECODERS
    }
    rows = [row for of_decoder in generations.values() for row in of_decoder]
    timings = [
        Timing(
            row.prompt_id,
            row.decoder,
            len(row.token_ids) * SECONDS_PER_TOKEN[row.decoder],
            len(row.token_ids),
            [],
        )
        for row in rows
    ]
    ShardFiles(folder, 0).write(DECODERS, rows, timings)
    by_prompt = {name: {r.prompt_id: r for r in rows} for name, rows in generations.items()}
    examples = make_examples(prompts, by_prompt, "word", _decode)
    write_examples(evaluated / "examples.jsonl", examples)
    return generations


def _generation(decoder: str, prompt: Prompt, scenario: Scenario) -> Generation:
    index = int(prompt.id.split("-")[1])
    ids = list(range(len(WORDS)))
    trace = None
    if is_speculative(decoder):
        trace = _trace(ids, decoder, scenario.block[decoder], random.Random(prompt.id + decoder))
    right = prompt.family != "word" or index not in scenario.wrong[decoder]
    return Generation(prompt.id, prompt.family, decoder, _decode(ids), ids, True, right, trace)


def _trace(ids: Sequence[int], decoder: str, block: int, chance: random.Random) -> dict[str, Any]:
    cycles = []
    start = 0
    while start < len(ids):
        accepted = min(max(0, block + chance.randint(-3, 1)), LENGTH, len(ids) - start - 1)
        proposed = [*ids[start : start + accepted], *[3] * LENGTH][:LENGTH]
        standard = [decoder == "exact" or chance.random() < 0.85 for _ in range(accepted)]
        standard += [False] * (LENGTH - accepted)
        judge = [round(chance.uniform(0.7, 1.0), 6) for _ in range(accepted)]
        judge += [round(chance.uniform(0.0, 0.3), 6) for _ in range(LENGTH - accepted)]
        cycles.append(
            {
                "proposed": proposed,
                "accepted": accepted,
                "standard": [int(kept) for kept in standard],
                "judge": judge if decoder == "judge" else None,
                "next_token": ids[start + accepted],
            }
        )
        start += accepted + 1
    return {"threshold": 0.5 if decoder == "judge" else None, "cycles": cycles}


def _decode(token_ids: list[int]) -> str:
    return " ".join(WORDS[token] for token in token_ids)


def _write_evaluated(folder: Path, generations: dict[str, list[Generation]]) -> None:
    results: dict[str, dict[str, Any]] = {}
    paired = {}
    for family in ("word", "code", "choice"):
        outcomes = {
            name: [float(row.right) for row in rows if row.family == family]
            for name, rows in generations.items()
        }
        task = f"micro_{family}"
        results[task] = {
            name: {**asdict(proportion(values)), "metric": "acc"}
            for name, values in outcomes.items()
        }
        paired[task] = {
            name: asdict(compare_paired(values, outcomes["target"]))
            for name, values in outcomes.items()
            if name != "target"
        }
    (folder / "results.json").write_text(json.dumps(results))
    (folder / "paired.json").write_text(json.dumps(paired))
