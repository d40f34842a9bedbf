"""The command line: what it refuses, in one line and before any work, and what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from judge_lightning.decoding.verifiers.registry import rule_names
from pipelines.composition import CONF, typed_config
from pipelines.config import register_schemas
from pipelines.graph import discover_stages, stages_of_pipeline
from pipelines.plan import make_plan
from pipelines.store import ArtifactStore
from tests.pipelines.conftest import Command

EXPERIMENTS = sorted(path.stem for path in (CONF / "exp").glob("*.yaml"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "exp: no experiment is named"),
        (["+exp=nope"], "exp: there is no 'nope'; choose one of: 405b_judge"),
        (["exp=quickstart"], "write +exp=NAME"),
        (["+exp=quickstart", "pair=nope"], "pair: there is no 'nope'; choose one of: llama"),
        (
            ["+exp=quickstart", "judge.layr=1"],
            "judge.layr: there is no such field; did you mean judge.layer",
        ),
        (["+exp=quickstart", "+judge.speed=1"], "judge.speed: there is no such field"),
        (["+exp=quickstart", "+velocity=1"], "velocity: there is no such field"),
        (["+exp=quickstart", "speed=1"], "command line: Config group override must be a string"),
        (["+exp=quickstart", "data.sources.word.speed=1"], "data.sources.word.speed: there is no"),
        (["+exp=quickstart", "judge.lr=fast"], "judge.lr: Value 'fast' of type 'str'"),
        (["+exp=quickstart", "dry_run=perhaps"], "dry_run: Value 'perhaps'"),
        (["+exp=quickstart", "stages=embed"], "stages: "),
        (["+exp=quickstart", "judge.lr=["], "override 'judge.lr=[': it cannot be parsed"),
        (["+exp=quickstart", "pipeline=jugde"], "pipeline: there is no pipeline 'jugde'"),
        (["+exp=quickstart", "stages=[embd]"], "stages: there is no stage 'embd'"),
        (["-m", "+exp=quickstart", "judge.lr=1,fast"], "judge.lr: Value 'fast'"),
    ],
)
def test_a_wrong_command_gets_one_line_and_status_2_and_leaves_nothing(
    arguments: list[str], message: str, command: Command, tmp_path: Path
) -> None:
    answer = command(*arguments)
    assert answer.status == 2
    assert answer.err.startswith("error: ")
    assert answer.err.count("\n") == 1
    assert message in answer.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("field", ["output_dir", "artifacts_dir"])
def test_a_folder_that_cannot_be_written_is_named(
    field: str, tiny_command: Command, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    answer = tiny_command("+exp=quickstart", f"{field}=file/below")
    assert answer.status == 2
    assert answer.err.startswith(f"error: {field}: file/below cannot be used")
    assert answer.err.count("\n") == 1


def test_a_full_disk_is_noticed_before_any_work(
    tiny_command: Command, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    answer = tiny_command("+exp=quickstart")
    assert answer.status == 2
    assert "artifacts_dir: the run needs about" in answer.err
    assert tiny.numbers.shards_written == []


def test_what_a_stage_refuses_is_refused_before_any_work(
    tiny_command: Command, tiny: Any, tmp_path: Path
) -> None:
    from judge_lightning.errors import UserError

    def refuse(config: object) -> None:
        raise UserError("judge.layer", "9 is out of range", "choose -4 to 3")

    tiny.order[2].validate = refuse
    answer = tiny_command("+exp=quickstart")
    assert answer.status == 2
    assert answer.err == "error: judge.layer: 9 is out of range; choose -4 to 3\n"
    assert tiny.numbers.shards_written == []
    assert not (tmp_path / "outputs").exists()


def test_a_failing_stage_gets_one_line_and_status_1(tiny_command: Command, tiny: Any) -> None:
    tiny.numbers.fail_before = 1
    answer = tiny_command("+exp=quickstart")
    assert answer.status == 1
    assert answer.err.startswith("error: stage numbers failed: RuntimeError: the machine burns")
    assert answer.err.count("\n") == 1


def test_a_run_that_the_gate_refuses_saves_everything_and_exits_with_3(
    tiny_command: Command, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = {"gate": {"passed": False, "refused": ["word: judge differs by -9.0 points"]}}
    report = tiny.order[-1]
    written = report.run

    def run_and_refuse(context: Any) -> None:
        written(context)
        (context.work / "summary.json").write_text(json.dumps(refused))

    monkeypatch.setattr(report, "run", run_and_refuse)
    for _ in range(2):
        answer = tiny_command("+exp=quickstart")

        assert answer.status == 3
        assert answer.err == "error: refused by the gate: word: judge differs by -9.0 points\n"
        assert "the table" in answer.out
        assert "results: " in answer.out
    summary = json.loads((tmp_path / "outputs" / "latest" / "summary.json").read_text())
    assert summary["gate"] == refused["gate"]
    assert summary["run"]["seconds"] >= 0
    assert "failed" not in summary
    assert all(stage["cached"] for stage in summary["stages"].values())


def test_hydra_full_error_shows_the_traceback(
    tiny_command: Command, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    tiny.numbers.fail_before = 1
    assert "Traceback" in tiny_command("+exp=quickstart").err


@pytest.mark.parametrize("leave", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_run_says_that_it_goes_on_and_exits_with_130(
    leave: type[BaseException], tiny_command: Command, tiny: Any
) -> None:
    def interrupted(context: object) -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            # Lightning turns it into SystemExit(1).
            raise leave(1) from None

    tiny.order[1].run = interrupted
    answer = tiny_command("+exp=quickstart")
    assert answer.status == 130
    assert "goes on" in answer.err
    assert answer.err.count("\n") == 1
    del tiny.order[1].run
    assert "numbers  cached" in tiny_command("+exp=quickstart").out


def test_a_run_prints_a_line_per_stage_and_the_reports_table(tiny_command: Command) -> None:
    lines = tiny_command("+exp=quickstart").out.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["numbers", "total", "report"]
    assert lines[4] == "the table"
    again = tiny_command("+exp=quickstart").out.splitlines()
    assert [line.split()[1] for line in again[:3]] == ["cached"] * 3


def test_a_run_leaves_its_config_summary_report_and_metrics(
    tiny_command: Command, tmp_path: Path
) -> None:
    assert tiny_command("+exp=quickstart", "judge.lr=2").status == 0
    latest = tmp_path / "outputs" / "latest"
    assert latest.readlink().parts[0] == "quickstart"
    assert sorted(path.name for path in latest.iterdir()) == [
        "config.yaml",
        "metrics.jsonl",
        "overrides.yaml",
        "report.html",
        "summary.json",
    ]
    assert "lr: 2.0" in (latest / "config.yaml").read_text()
    summary = json.loads((latest / "summary.json").read_text())
    assert list(summary) == ["schema", "exp", "pair", "stand_in", "stages", "run", "judge"]
    assert summary["exp"] == "quickstart"
    assert summary["stages"]["total"]["cached"] is False
    assert summary["stages"]["total"]["seconds"] >= 0
    assert summary["run"]["seconds"] >= summary["stages"]["total"]["seconds"]
    assert summary["run"]["peak_memory"] > 10 * 2**20
    assert sorted(path.name for path in tmp_path.iterdir()) == ["artifacts", "outputs"]


def test_two_runs_in_one_second_get_two_folders(tiny_command: Command, tmp_path: Path) -> None:
    for _ in range(2):
        tiny_command("+exp=quickstart")
    assert len(list((tmp_path / "outputs" / "quickstart").iterdir())) == 2


def test_a_failed_run_still_protects_its_artifacts_from_garbage_collection(
    tiny_command: Command, tiny: Any, tmp_path: Path
) -> None:
    from pipelines.artifacts import main as artifacts

    tiny.numbers.fail_before = 1
    tiny_command("+exp=quickstart")
    assert artifacts(["gc"]) == 0
    assert len(tiny.store.unfinished()) == 1


def test_a_multirun_makes_one_folder_per_job_and_goes_on_behind_a_failure(
    tiny_command: Command, tmp_path: Path
) -> None:
    answer = tiny_command("-m", "+exp=quickstart", "stages=[nope],[numbers]")
    assert answer.status == 2
    assert answer.err.count("no stage 'nope'") == 1
    (multirun,) = (tmp_path / "outputs" / "quickstart").iterdir()
    assert multirun.name.startswith("multirun-")
    left = sorted(path.name for path in multirun.iterdir() if not path.name.startswith("."))
    assert left == ["0", "1", "report.html", "summary.json", "sweep.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["artifacts", "outputs"]


def test_a_multirun_ends_in_a_page_and_latest_points_to_it(
    tiny_command: Command, tmp_path: Path
) -> None:
    answer = tiny_command("-m", "+exp=quickstart", "judge.lr=1,2")
    assert answer.status == 0
    assert "2 of 2 jobs" in answer.out
    (multirun,) = (tmp_path / "outputs" / "quickstart").iterdir()
    assert (tmp_path / "outputs" / "latest").resolve() == multirun.resolve()
    summary = json.loads((multirun / "summary.json").read_text())
    assert [job["values"] for job in summary["jobs"]] == [{"judge.lr": 1.0}, {"judge.lr": 2.0}]


def test_a_sweeps_results_are_named_before_wandb_is_asked(
    tiny_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "pipelines.multirun.sweeping.report_sweep", lambda folder: "W&B: the last line"
    )
    answer = tiny_command("-m", "+exp=quickstart", "judge.lr=1")
    *_, results, last = answer.out.splitlines()
    assert results.startswith("results: ")
    assert last == "W&B: the last line"


def test_a_multirun_started_again_repeats_no_finished_job(
    tiny_command: Command, tiny: Any, tmp_path: Path
) -> None:
    jobs = ("-m", "+exp=quickstart", "data.seed=1,2")
    tiny.numbers.fail_before = 1
    assert tiny_command(*jobs[:2], "data.seed=2").status == 1
    tiny.numbers.fail_before = None
    tiny_command("+exp=quickstart", "data.seed=1")
    tiny.numbers.shards_written.clear()
    answer = tiny_command(*jobs)
    assert answer.status == 0
    assert tiny.numbers.shards_written == ["shard-1.txt", "shard-2.txt"], "the second job's rest"


def test_a_job_that_failed_is_named_on_the_sweeps_page(
    tiny_command: Command, tiny: Any, tmp_path: Path
) -> None:
    tiny.numbers.fail_before = 1
    answer = tiny_command("-m", "+exp=quickstart", "judge.lr=1,2")
    assert answer.status == 1
    assert "0 of 2 jobs" in answer.out
    assert "lr 2: stage numbers failed: RuntimeError: the machine burns" in answer.out


def test_a_dry_run_shows_keys_and_states_and_leaves_nothing(
    tiny_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.plan_view.model_sizes", lambda pair: {})
    answer = tiny_command("+exp=quickstart", "dry_run=true")
    assert answer.status == 0
    assert answer.out.count("would run") == 4
    assert list(tmp_path.iterdir()) == []

    tiny_command("+exp=quickstart")
    answer = tiny_command("+exp=quickstart", "dry_run=true", "judge.lr=7")
    assert answer.out.count("cached") == 1
    assert "2 of 3 stages would run" in answer.out


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_composes_into_a_typed_config(experiment: str) -> None:
    register_schemas()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = typed_config(compose("config", [f"+exp={experiment}"]))
    assert config.exp == experiment
    others = {
        "micro_pretrain": "pretrain",
        "gsm8k_court": "court",
        "acceptance_analysis": "acceptance",
    }
    assert config.pipeline == others.get(experiment, "judge")


@pytest.mark.parametrize("choice", sorted(path.stem for path in (CONF / "verifier").glob("*.yaml")))
def test_every_choice_of_decoders_composes_and_makes_sense(choice: str) -> None:
    register_schemas()
    # AutoJudge's rule needs a head of its own kind.
    judge = ["judge=autojudge"] if choice == "autojudge" else []
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = typed_config(compose("config", ["+exp=quickstart", f"verifier={choice}", *judge]))
    assert config.verifier.name == choice
    assert set(config.verifier.rules) <= set(config.verifier.decoders)
    discover_stages()["decode"].validate(config)


def test_every_acceptance_rule_can_be_chosen_by_its_name() -> None:
    assert set(rule_names()) <= {path.stem for path in (CONF / "verifier").glob("*.yaml")}


def test_a_judge_setting_changes_the_keys_of_train_and_what_follows_only() -> None:
    register_schemas()

    def keys(*overrides: str) -> dict[str, str]:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            config = typed_config(compose("config", ["+exp=405b_judge", *overrides]))
        order = stages_of_pipeline("judge", discover_stages())
        plan = make_plan(config, order, ArtifactStore(Path("nowhere")))
        return {planned.name: planned.key for planned in plan.stages}

    def changed(*overrides: str) -> set[str]:
        return {name for name, key in keys(*overrides).items() if key != before[name]}

    before = keys()
    assert changed("judge.lr=1e-3") == {"train", "calibrate", "decode", "evaluate", "report"}
    assert changed("mine.batch_size=3", "engine.workers=2", "embed.batch_size=1") == set()
    assert changed("eval.limit=10") == {"evaluate", "report"}


def test_the_plan_of_the_405b_experiment_is_made_offline_without_a_model(command: Command) -> None:
    answer = command("+exp=405b_judge", "dry_run=true")
    assert answer.status == 0
    assert "10 of 10 stages would run" in answer.out
    assert "405,853,388,800" in answer.out
    assert "8,030,261,248" in answer.out
    assert "812 GB" in answer.out
    assert "410 GB (int8)" in answer.out


def test_as_a_process_it_answers_with_the_same_line_and_status(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "pipelines.run", "+exp=nope", f"output_dir={tmp_path}/o"],
        cwd=CONF.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert answer.stderr.startswith("error: exp: there is no 'nope'")
    assert answer.stderr.count("\n") == 1


def test_an_interrupt_of_the_process_group_is_one_line_as_well(tmp_path: Path) -> None:
    script = tmp_path / "wait.py"
    script.write_text(
        "import signal, sys\n"
        # Tests that are started in the background inherit that interrupts are ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from pipelines import run\n"
        "def wait(composed, started, sweep_job):\n"
        "    print('waiting', flush=True)\n"
        "    signal.pause()\n"
        "run.run = wait\n"
        "sys.argv[1:] = ['+exp=quickstart']\n"
        "run.main()\n"
    )
    process = subprocess.Popen(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(CONF.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert err.count("\n") == 1


def test_the_runs_own_page_says_how_to_have_it_again_and_the_stored_one_does_not(
    tiny_command: Command, tmp_path: Path
) -> None:
    assert tiny_command("+exp=quickstart", "judge.lr=0.5").status == 0
    page = (tmp_path / "outputs" / "latest" / "report.html").read_text()
    assert "python -m pipelines.run +exp=quickstart judge.lr=0.5 tracking=none" in page
    assert "This run took" in page and "memory" in page
    assert "lr: 0.5" in page
    [stored] = (tmp_path / "artifacts" / "report").glob("*/report.html")
    assert "judge.lr" not in stored.read_text()
