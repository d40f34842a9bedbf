"""A run's folder, read back: where it is found, what it holds, and what is said of damage."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from judge_lightning import load_run
from judge_lightning.court.records import SPLITS
from judge_lightning.decoding.trace import CycleParts
from judge_lightning.errors import UserError
from tests.runs.conftest import KEYS, LAYERS, READS, TRACE, RunOnDisk


@pytest.mark.parametrize("below", [".", "notebooks", "outputs/quickstart"])
def test_the_latest_run_is_found_from_the_start_folder_and_below_it(
    run_on_disk: RunOnDisk, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    (run_on_disk.start / below).mkdir(exist_ok=True)
    monkeypatch.chdir(run_on_disk.start / below)
    run = load_run()
    assert run.path == run_on_disk.folder
    assert run.artifact("decode").folder == run_on_disk.artifact("decode")


def test_artifacts_are_found_above_the_run_from_anywhere(
    run_on_disk: RunOnDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "artifacts").mkdir(parents=True)  # Another project's store, without this run.
    monkeypatch.chdir(elsewhere)
    assert load_run(run_on_disk.folder).stages == list(READS)


def test_an_artifact_tells_what_its_manifest_says(run_on_disk: RunOnDisk) -> None:
    artifact = load_run(run_on_disk.folder).artifact("calibrate")
    assert artifact.key == KEYS["calibrate"]
    assert artifact.inputs == {"embed": KEYS["embed"], "train": KEYS["train"]}
    assert artifact.settings == {"seed": 0}
    assert artifact.metrics == {"auroc": 0.9}
    assert artifact.seconds == 1.5


def test_a_run_of_a_part_of_the_graph_knows_what_it_was_made_from(
    run_on_disk: RunOnDisk,
) -> None:
    summary = {"stages": {"decode": {"key": KEYS["decode"]}}}
    (run_on_disk.folder / "summary.json").write_text(json.dumps(summary))
    run = load_run(run_on_disk.folder)
    assert set(run.stages) == set(READS)
    assert run.stages[-1] == "decode"
    assert len(run.layers) == LAYERS


def test_answers_come_with_their_trace_and_its_seconds(run_on_disk: RunOnDisk) -> None:
    run = load_run(run_on_disk.folder)
    right, wrong = run.answers("judge")
    assert run.decoders == ["target", "judge"]
    assert (right.prompt_id, right.right, wrong.right) == ("p0", True, False)
    assert right.trace is not None
    assert right.trace.tokens == TRACE.tokens
    assert right.trace.threshold == TRACE.threshold
    assert right.trace.seconds == 0.25
    assert right.trace.cycles[0].parts == CycleParts(0.1, 0.09, 0.01)
    assert wrong.trace is not None
    assert wrong.trace.cycles[0].parts is None
    assert right.cycles == 1


def test_an_answer_without_a_draft_has_no_trace(run_on_disk: RunOnDisk) -> None:
    answer = load_run(run_on_disk.folder).answers("target")[0]
    assert answer.trace is None
    assert answer.cycles == 3
    assert answer.timing is not None
    assert answer.timing.seconds == 0.25


def test_answers_without_timings_are_read_too(run_on_disk: RunOnDisk) -> None:
    (run_on_disk.artifact("decode") / "timings-00000.jsonl").unlink()
    answer = load_run(run_on_disk.folder).answers("judge")[0]
    assert answer.timing is None
    assert answer.text == "four"


def test_embeddings_are_those_of_one_split_and_layer(run_on_disk: RunOnDisk) -> None:
    states = load_run(run_on_disk.folder).embeddings("calibration", layer=0)
    assert states.layer == 0
    assert torch.equal(states.embeddings, torch.full((6, 4), 10.0))
    assert states.labels.tolist() == [1, 1, 1, 1, 1, 0]
    assert states.surprisals is None


def test_embeddings_are_of_the_judges_layer_unless_another_is_named(
    run_on_disk: RunOnDisk,
) -> None:
    run = load_run(run_on_disk.folder)
    assert run.embeddings().layer == run.judge.config.layer == 1
    assert torch.equal(run.embeddings().embeddings, torch.full((6, 4), 11.0))


def test_a_tokens_tuple_number_is_its_place_in_the_court(run_on_disk: RunOnDisk) -> None:
    run = load_run(run_on_disk.folder)
    states, court = run.embeddings("calibration"), list(run.tuples())
    assert {court[number].split for number in states.tuples.tolist()} == {"calibration"}


def test_the_court_can_be_read_by_split(run_on_disk: RunOnDisk) -> None:
    run = load_run(run_on_disk.folder)
    counts = {split: len(list(run.tuples(split))) for split in SPLITS}
    assert counts == {"train": 1, "validation": 0, "calibration": 1, "eval": 0}


def test_prompts_are_known_by_their_id(run_on_disk: RunOnDisk) -> None:
    prompts = load_run(run_on_disk.folder).prompts
    assert list(prompts) == ["p0", "p1"]
    assert prompts["p1"].text == "Question 1?"


def test_the_judge_is_the_calibrated_one(run_on_disk: RunOnDisk) -> None:
    run = load_run(run_on_disk.folder)
    assert run.judge.config.threshold == 0.7
    assert [point.kept for point in run.operating_curve] == [1.0, 0.0]
    assert len(run.held_out().labels) == 6


def test_the_pair_is_loaded_as_the_configuration_says(run_on_disk: RunOnDisk) -> None:
    run = load_run(run_on_disk.folder)
    pair = run.pair(device="cpu")
    assert pair.target.num_parameters() > pair.draft.num_parameters()
    assert len(run.tokenizer) == len(pair.tokenizer)


def test_a_folder_that_is_not_there_is_named_with_the_command_that_makes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"outputs/latest: is no folder; .*\+exp=quickstart"):
        load_run()


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no summary\.json"):
        load_run(tmp_path)


def test_a_sweeps_folder_names_one_of_its_runs(tmp_path: Path) -> None:
    job = tmp_path / "judge.layer=-1"
    job.mkdir()
    (job / "config.yaml").write_text("{}")
    with pytest.raises(UserError, match=r"sweep of 1 runs; .*judge\.layer=-1"):
        load_run(tmp_path)


def test_of_an_unfinished_run_the_finished_stages_are_read_and_the_missing_one_is_named(
    run_on_disk: RunOnDisk,
) -> None:
    shutil.rmtree(run_on_disk.artifact("decode"))
    run = load_run(run_on_disk.folder)
    assert "decode" not in run.stages
    assert run.judge.config.threshold == 0.7
    with pytest.raises(UserError, match=r"stage decode: has left no artifact .*; finish the run"):
        run.answers("judge")


def test_a_stage_that_the_run_never_had_is_refused_with_those_it_has(
    run_on_disk: RunOnDisk,
) -> None:
    with pytest.raises(UserError, match="stage safety: is no part of this run; it has prompts"):
        load_run(run_on_disk.folder).artifact("safety")


def test_an_unknown_decoder_is_refused_with_those_that_answered(run_on_disk: RunOnDisk) -> None:
    with pytest.raises(UserError, match="'exact' has answered nothing in decode; it has judge"):
        load_run(run_on_disk.folder).answers("exact")


def test_an_unknown_split_is_refused_with_those_that_are_embedded(
    run_on_disk: RunOnDisk,
) -> None:
    with pytest.raises(UserError, match="no embedding of 'eval'; use one of train, calibration"):
        load_run(run_on_disk.folder).embeddings("eval")


@pytest.mark.parametrize("name", ["summary.json", "config.yaml"])
def test_a_damaged_file_of_the_run_is_named(run_on_disk: RunOnDisk, name: str) -> None:
    (run_on_disk.folder / name).write_text("{not: [this")
    with pytest.raises(UserError, match=rf"{name}: cannot be read"):
        load_run(run_on_disk.folder)


def test_a_damaged_manifest_spoils_its_own_stage_alone(run_on_disk: RunOnDisk) -> None:
    (run_on_disk.artifact("train") / "manifest.json").write_text("{")
    run = load_run(run_on_disk.folder)
    assert run.judge.config.threshold == 0.7
    with pytest.raises(UserError, match=r"manifest\.json: cannot be read"):
        run.layers  # noqa: B018


@pytest.mark.parametrize(
    ("stage", "file", "ask"),
    [
        ("train", "layers.json", lambda run: run.layers),
        ("calibrate", "operating_curve.jsonl", lambda run: run.operating_curve),
        ("decode", "generations-judge-00000.jsonl", lambda run: run.answers("judge")),
        ("embed", "shard-00001.safetensors", lambda run: run.embeddings()),
        ("prompts", "prompts.jsonl", lambda run: run.prompts),
    ],
)
def test_a_torn_file_of_an_artifact_is_one_clear_line(
    run_on_disk: RunOnDisk, stage: str, file: str, ask: object
) -> None:
    assert callable(ask)
    (run_on_disk.artifact(stage) / file).write_text('{"half')
    run = load_run(run_on_disk.folder)
    with pytest.raises(UserError) as error:
        ask(run)
    assert KEYS[stage] in str(error.value)
    assert "\n" not in str(error.value)


def test_reading_a_run_imports_neither_the_pipeline_nor_its_tools(
    run_on_disk: RunOnDisk,
) -> None:
    script = (
        "import sys; from judge_lightning import load_run;"
        f" run = load_run({str(run_on_disk.folder)!r});"
        " run.answers('judge'); run.layers; run.embeddings(); list(run.tuples());"
        " tops = {name.partition('.')[0] for name in sys.modules};"
        " print(sorted(tops & {'pipelines', 'evals', 'hydra', 'omegaconf', 'wandb', 'lightning'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == "[]"
