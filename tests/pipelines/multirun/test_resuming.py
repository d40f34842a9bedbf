"""A multirun that did not come to its end is gone on with by the same command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from judge_lightning.errors import UserError
from pipelines.multirun.record import SweepRecord, identity_of
from tests.pipelines.conftest import Command

SWEEP = ("-m", "+exp=quickstart", "data.seed=1,2")
ONE = SWEEP[:2]


@pytest.fixture
def refused(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Seeds for which the tiny pipeline's first stage is the user's mistake."""
    seeds: set[int] = set()
    as_it_is = type(tiny.numbers).run

    def run(stage: Any, context: Any) -> None:
        if context.config.data.seed in seeds:
            raise UserError("data.seed", "is unlucky", "take another")
        as_it_is(stage, context)

    monkeypatch.setattr(type(tiny.numbers), "run", run)
    return seeds


def sweeps(folder: Path) -> list[Path]:
    return sorted((folder / "outputs" / "quickstart").iterdir())


def results(folder: Path) -> list[str | None]:
    """Why each job is not finished, None for one that is, as the sweep's page has it."""
    summary = json.loads((folder / "summary.json").read_text())
    return [job["failed"] for job in summary["jobs"]]


def test_finished_jobs_are_skipped_and_the_page_holds_all(
    tiny_command: Command, tiny: Any, refused: set[int], tmp_path: Path
) -> None:
    refused.add(1)
    first = tiny_command(*SWEEP)
    assert first.status == 2
    assert first.err == "error: data.seed: is unlucky; take another\n"
    (folder,) = sweeps(tmp_path)
    assert results(folder) == ["data.seed: is unlucky; take another", None]

    refused.clear()
    tiny.numbers.shards_written.clear()
    second = tiny_command(*SWEEP)
    assert second.status == 0
    assert sweeps(tmp_path) == [folder]
    lines = second.out.splitlines()
    going_on = "going on in outputs/quickstart/"
    assert lines[0] == f"{going_on}{folder.name}: 1 of 2 jobs are finished"
    assert lines[1].startswith("job 1 (data.seed=2): finished at ")
    assert lines[1].endswith(", skipped")
    assert len(tiny.numbers.shards_written) == 3, "one job's"
    assert results(folder) == [None, None]
    assert (tmp_path / "outputs" / "latest").resolve() == folder.resolve()


def test_a_finished_sweep_begins_anew(tiny_command: Command, tmp_path: Path) -> None:
    for _ in range(2):
        assert tiny_command(*ONE).out.startswith("sweep of 1 job in outputs/quickstart/")
    assert len(sweeps(tmp_path)) == 2


def test_a_finished_job_that_means_another_thing_by_now_runs_again(
    tiny_command: Command, tiny: Any, refused: set[int], tmp_path: Path
) -> None:
    refused.add(2)
    tiny_command(*SWEEP)
    refused.clear()
    tiny.order[1].version = 7
    answer = tiny_command(*SWEEP)
    (folder,) = sweeps(tmp_path)
    assert "skipped" not in answer.out
    assert answer.out.count("finished, but means another thing by now; runs again") == 1
    assert results(folder) == [None, None]
    before, after = (
        json.loads((folder / place / "summary.json").read_text())["stages"]
        for place in ("replaced/0", "0")
    )
    assert before["numbers"]["key"] == after["numbers"]["key"]
    assert before["total"]["key"] != after["total"]["key"]


def test_another_sweep_begins_where_results_may_differ_and_where_that_is_asked_for(
    tiny_command: Command, refused: set[int], tmp_path: Path
) -> None:
    refused.add(2)
    tiny_command(*SWEEP)
    tiny_command(*SWEEP, "launch.threads=1", "sweep.title=again", "tracking.project=other")
    assert len(sweeps(tmp_path)) == 1
    tiny_command(*ONE, "data.seed=2", "launch.resume=false")
    assert len(sweeps(tmp_path)) == 2
    tiny_command(*ONE, "data.seed=2", "launch.resume=false")
    assert len(sweeps(tmp_path)) == 3


def test_identity_is_that_of_the_jobs_in_their_order() -> None:
    same = identity_of({0: ["+exp=e", "judge.lr=1"], 1: ["+exp=e", "judge.lr=2"]})
    assert same == identity_of(
        {0: ["judge.lr=1", "+exp=e", "launch=slurm"], 1: ["judge.lr=2", "+exp=e", "output_dir=x"]}
    )
    assert same != identity_of({0: ["+exp=e", "judge.lr=2"], 1: ["+exp=e", "judge.lr=1"]})
    assert same != identity_of({0: ["+exp=e", "judge.lr=1"]})


def test_a_sweep_that_another_command_is_at_is_left_alone(
    tiny_command: Command, refused: set[int], tmp_path: Path
) -> None:
    refused.add(2)
    tiny_command(*SWEEP)
    (folder,) = sweeps(tmp_path)
    with SweepRecord.read(folder).lock():
        answer = tiny_command(*SWEEP)
    assert answer.out.startswith(f"another command is at outputs/quickstart/{folder.name}: ")
    assert len(sweeps(tmp_path)) == 2


def test_a_finished_job_that_the_gate_refused_stays_refused(
    tiny_command: Command, tiny: Any, refused: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    report = tiny.order[2]
    as_it_is = type(report).run

    def with_gate(stage: Any, context: Any) -> None:
        as_it_is(stage, context)
        gate = {"passed": context.config.data.seed != 1, "refused": ["worse on word"]}
        (context.work / "summary.json").write_text(json.dumps({"gate": gate}))

    monkeypatch.setattr(type(report), "run", with_gate)
    refused.add(2)
    assert tiny_command(*SWEEP).status == 3
    refused.clear()
    answer = tiny_command(*SWEEP)
    assert answer.status == 3 and "1 of 2 jobs are finished" in answer.out


def test_a_sweep_in_which_nothing_could_begin_leaves_nothing(
    tiny_command: Command, tmp_path: Path
) -> None:
    answer = tiny_command("-m", "+exp=quickstart", "stages=[nope],[nix]")
    assert answer.status == 2
    assert answer.err.count("\n") == 2
    assert sweeps(tmp_path) == []


def test_a_dry_run_of_a_sweep_leaves_nothing(
    tiny_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.plan_view.model_sizes", lambda pair: {})
    answer = tiny_command(*SWEEP, "dry_run=true")
    assert answer.status == 0
    assert answer.out.count("the plan; nothing is run") == 2
    assert list(tmp_path.iterdir()) == []


def test_jobs_of_two_experiments_are_two_sweeps_that_are_gone_on_with_together(
    tiny_command: Command, tiny: Any, tmp_path: Path
) -> None:
    both = ("-m", "+exp=quickstart,layer_ablation", "judge.layer=-1")
    tiny.numbers.fail_before = 1
    assert tiny_command(*both).status == 1
    tiny.numbers.fail_before = None
    answer = tiny_command(*both)
    assert answer.status == 0
    for exp, number in (("quickstart", "0"), ("layer_ablation", "1")):
        (folder,) = (tmp_path / "outputs" / exp).iterdir()
        assert results(folder) == [None]
        assert (folder / number / "summary.json").is_file()


def test_the_page_of_a_sweep_says_which_jobs_have_not_started(
    tiny_command: Command, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(stage: Any, context: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(type(tiny.numbers), "run", interrupted)
    answer = tiny_command(*SWEEP)
    assert answer.status == 130
    (folder,) = sweeps(tmp_path)
    assert results(folder) == ["not finished", "not started"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["launch.multirun=there"], "launch.multirun: there is no 'there'; choose one of: in_turn"),
        (["launch.multirun=slurm"], "hydra/launcher: is not the one that launch.multirun=slurm"),
        (["hydra/launcher=submitit_local"], "hydra/launcher: is not the one that launch.multirun="),
        (["launch=parallel", "launch.jobs=0"], "launch.jobs: is 0; give 1 or more"),
        (["launch=parallel", "launch.threads=9999"], "launch.threads: 2 jobs of 9999 threads are"),
        (["launch=parallel", "launch.jbos=2"], "launch.jbos: there is no such field; did you mean"),
        (["launch=slurm", "hydra.launcher.partitoin=x"], "hydra.launcher.partitoin: there is no"),
        (["launch=slurm"], "launch=slurm: there is no sbatch on this machine; start it where"),
        (["launch.threads=1,2"], "launch: it is not the same for all jobs; sweep over other"),
        (["hydra.sweeper.max_batch_size=1"], "hydra.sweeper.max_batch_size: a sweep is launched"),
        (["output_dir=file/below"], "output_dir: file/below cannot be used"),
    ],
)
def test_what_cannot_be_launched_is_one_line_and_leaves_nothing(
    arguments: list[str],
    message: str,
    tiny_command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    (tmp_path / "file").write_text("")
    answer = tiny_command(*ONE, *arguments)
    assert answer.status == 2
    assert answer.err.startswith(f"error: {message}")
    assert answer.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("launch", ["slurm", "submitit"])
def test_a_single_run_is_not_submitted(launch: str, tiny_command: Command) -> None:
    answer = tiny_command("+exp=quickstart", f"launch={launch}")
    assert answer.status == 2
    assert "add -m behind pipelines.run" in answer.err
