"""What the stage evaluate is keyed by, refuses and keeps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.harness import read_samples
from judge_lightning.errors import UserError
from pipelines.config import RunConfig
from pipelines.stages.decode import Decode
from pipelines.stages.evaluate import Evaluate
from tests.evals.tiny_run import run, tiny_run


@pytest.fixture
def config(pair_folder: Path) -> RunConfig:
    return tiny_run(pair_folder)


@pytest.fixture
def gsm8k(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    row = {"question": "What is 1 + 1?", "answer": "#### 2"}
    (folder / "gsm8k_test.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    return folder


def test_a_local_files_content_is_part_of_the_key_and_its_place_is_not(
    config: RunConfig, gsm8k: Path
) -> None:
    config.eval.tasks, config.eval.data_dir = ["llama3_gsm8k"], str(gsm8k)
    before = Evaluate().settings(config)
    moved = gsm8k.rename(gsm8k.with_name("moved"))
    config.eval.data_dir = str(moved)
    assert Evaluate().settings(config) == before
    with (moved / "gsm8k_test.jsonl").open("a") as file:
        file.write('{"question": "What is 2 + 2?", "answer": "#### 4"}\n')
    assert Evaluate().settings(config) != before


@pytest.mark.parametrize(
    ("field", "value"),
    [("limit", 3), ("num_fewshot", 2), ("seed", 7), ("system_instruction", "Be brief.")],
)
def test_how_tasks_are_asked_is_part_of_the_key(
    config: RunConfig, field: str, value: object
) -> None:
    before = Evaluate().settings(config)
    setattr(config.eval, field, value)
    assert Evaluate().settings(config) != before


def test_consent_and_batches_are_no_part_of_the_key(config: RunConfig) -> None:
    before = Evaluate().settings(config)
    config.eval.allow_code, config.eval.batch_size = True, 3
    assert Evaluate().settings(config) == before


def test_a_run_needs_consent_to_run_code_and_a_plan_does_not(config: RunConfig) -> None:
    config.eval.tasks = ["llama3_humaneval"]
    with pytest.raises(UserError, match=r"eval\.allow_code: llama3_humaneval runs generated code"):
        Evaluate().validate(config)
    config.dry_run = True
    Evaluate().validate(config)


@pytest.mark.parametrize(("field", "value"), [("limit", 0), ("num_fewshot", -1)])
def test_numbers_that_make_no_sense_are_refused(config: RunConfig, field: str, value: int) -> None:
    setattr(config.eval, field, value)
    with pytest.raises(UserError, match=rf"eval\.{field}: is {value}"):
        Evaluate().validate(config)


def test_exact_verification_answers_every_document_of_a_public_benchmark_as_the_target_does(
    config: RunConfig, gsm8k: Path, prompts_folder: Path, tmp_path: Path
) -> None:
    config.eval.tasks, config.eval.data_dir = ["llama3_gsm8k"], str(gsm8k)
    config.eval.num_fewshot = 1
    # The tiny pair's template knows one turn.
    config.eval.multiturn = False
    folders = {"prompts": prompts_folder, "calibrate": tmp_path}
    decoded = run(Decode(), config, tmp_path / "decode", **folders)
    config.eval.truncate = True
    evaluated = run(Evaluate(), config, tmp_path / "evaluate", decode=decoded.work, **folders)
    logs = {
        decoder: list(read_samples(evaluated.work / f"answers-llama3_gsm8k-{decoder}.jsonl"))
        for decoder in config.verifier.decoders
    }
    assert logs["exact"] == logs["target"]
    assert logs["target"][0].prompt.count("Problem:") == 2
