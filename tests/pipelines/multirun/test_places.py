"""Jobs in processes of their own: side by side, submitted, on Ray; killed, and gone on with."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

from pipelines.multirun.places.processes import run_job_process
from tests.pipelines.multirun.conftest import PATIENCE_SECONDS, Workplace, wait_until

WAITS = "prompts: another process is at it; waiting for its artifact"


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, out, err


def test_a_killed_multirun_takes_its_jobs_along_and_the_same_command_runs_the_rest(
    workplace: Workplace,
) -> None:
    command = ("-m", "data.seed=1,2,3", "launch=parallel")
    with workplace.held("data.seed=2", "data.seed=3"):
        process = workplace.start(*command)
        wait_until(lambda: "job 0" in line_of(process, "finished in"))
        wait_until(lambda: WAITS in workplace.log(1) and WAITS in workplace.log(2))
        workplace.kill(process)
        for number in (1, 2):
            FileLock(workplace.sweep / str(number) / ".lock").acquire(
                PATIENCE_SECONDS
            ).lock.release()
    status, out, err = finished(workplace.start(*command))
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].endswith(f"{workplace.sweep.name}: 1 of 3 jobs are finished")
    assert lines[1].startswith("job 0 (data.seed=1): finished at ")
    done = sorted(line for line in lines if "finished in" in line)
    assert [line.partition(":")[0] for line in done] == [
        "job 1 (data.seed=2)",
        "job 2 (data.seed=3)",
    ]
    assert "3 of 3 jobs" in out
    assert workplace.log(0).count("results: ") == 1


def line_of(process: subprocess.Popen[str], holds: str) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if holds in line:
            return line
    raise AssertionError(f"no line with {holds!r}")


def test_jobs_that_need_the_same_artifact_compute_it_once_and_a_bad_job_costs_no_other(
    workplace: Workplace,
) -> None:
    with workplace.held("data.max_rejected=0.3"):
        process = workplace.start("-m", "data.max_rejected=0.3,7,0.4", "launch=submitit")
        wait_until(lambda: len(list(workplace.folder.glob("outputs/*/multirun-*/2"))) == 1)
        wait_until(lambda: WAITS in workplace.log(0) and WAITS in workplace.log(2))
    status, out, err = finished(process)
    assert status == 2
    assert (
        err
        == "error: job 1 (data.max_rejected=7): data.max_rejected: 7.0 is no share; give 0 to 1\n"
    )
    assert "2 of 3 jobs" in out
    stages = [workplace.job(number)["stages"]["prompts"] for number in (0, 2)]
    assert stages[0]["key"] == stages[1]["key"]
    assert sorted(stage["cached"] for stage in stages) == [False, True]


def test_commands_that_need_the_same_artifact_compute_it_once(workplace: Workplace) -> None:
    with workplace.held("data.seed=1"):
        both = [workplace.start("data.seed=1", "launch=local") for _ in range(2)]
        for process in both:
            assert WAITS in line_of(process, "waiting")
    lines = sorted(line_of(process, "prompts ")[:16] for process in both)
    assert [line.split()[1] for line in lines] == ["cached", "ran"]
    assert [finished(process)[0] for process in both] == [0, 0]


@pytest.fixture
def slurm(workplace: Workplace) -> Path:
    """Stand-ins for Slurm's commands, which run what is submitted; the folder that they are in."""
    folder = workplace.folder / "slurm"
    folder.mkdir()
    commands = {
        "sbatch": f"""
            last=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\).*/\\1/p' $1)
            cp $1 {folder}/submitted.sh
            for task in $(seq 0 $last); do
              export SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=$task SLURM_JOB_ID=$((8 + task))
              setsid bash $1 > /dev/null 2>&1 < /dev/null &
              echo $! > {folder}/7_$task.pid
            done
            echo Submitted batch job 7""",
        "srun": """
            while [ "${1#-}" != "$1" ]; do
              case $1 in --output|--error) shift 2;; *) shift;; esac
            done
            exec env SLURM_NTASKS=1 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NODEID=0 "$@" """,
        "squeue": f"""
            cd {folder}
            for file in *.pid; do
              if [ -d /proc/$(cat $file) ]; then echo ${{file%.pid}}; fi
            done""",
    }
    for name, text in commands.items():
        (folder / name).write_text(f"#!/bin/bash\n{text}\n")
        (folder / name).chmod(0o755)
    workplace.environment["PATH"] = f"{folder}:{os.environ['PATH']}"
    return folder


def test_what_slurm_has_already_is_waited_for_and_not_submitted_again(
    workplace: Workplace, slurm: Path
) -> None:
    asked = ("hydra.launcher.partition=big", "hydra.launcher.gpus_per_node=2")
    command = ("-m", "data.seed=1,2", "launch=slurm", *asked)
    with workplace.held("data.seed=1", "data.seed=2"):
        process = workplace.start(*command)
        line_of(process, "submitted to Slurm")
        wait_until(lambda: WAITS in workplace.log(0) and WAITS in workplace.log(1))
        workplace.kill(process)
        submitted = (slurm / "submitted.sh").read_text()
        (slurm / "submitted.sh").unlink()
        process = workplace.start(*command)
        for number in (0, 1):
            assert line_of(process, "has it already").startswith(f"job {number}: ")
    status, out, err = finished(process)
    assert (status, err) == (0, "")
    assert "2 of 2 jobs" in out
    assert not (slurm / "submitted.sh").exists()
    for line in ("--partition=big", "--gpus-per-node=2", "--array=0-1%2", "--time=1440"):
        assert f"#SBATCH {line}\n" in submitted


def test_a_sweeps_jobs_run_on_a_ray_cluster(workplace: Workplace) -> None:
    pytest.importorskip("ray")
    status, out, err = finished(workplace.start("-m", "data.seed=1,2", "launch=ray_jobs"))
    assert (status, err) == (0, "")
    assert "on Ray (a cluster of this machine), 1 core a job" in out
    assert "2 of 2 jobs" in out
    assert not workplace.job(0)["stages"]["prompts"]["cached"]


def test_a_folder_that_is_not_shared_is_named(tmp_path: Path) -> None:
    ended = run_job_process(str(tmp_path / "sweep"), 0, str(tmp_path))
    assert ended.status == 1
    assert ended.why().startswith(f"{tmp_path / 'sweep'} is not there on ")
