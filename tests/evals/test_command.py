"""``judge-eval`` is lm-eval's own command line with our model class and tasks in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from evals.lm.command import with_our_tasks
from evals.task_files import TASK_FOLDER

ROOT = Path(__file__).parents[2]
OURS = ["--include_path", str(TASK_FOLDER)]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_our_tasks_are_found_unless_other_ones_are_named() -> None:
    assert with_our_tasks(["--tasks", "micro_word"]) == ["--tasks", "micro_word", *OURS]
    assert with_our_tasks(["run", "--tasks", "x"])[-2:] == OURS
    assert with_our_tasks(["--include_path", "mine"]) == ["--include_path", "mine"]
    assert with_our_tasks(["ls", "tasks"]) == ["ls", "tasks"]
    assert with_our_tasks(["--help"]) == ["--help"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "task"),
    [("evals", "micro_choice"), ("lm_eval", str(TASK_FOLDER / "micro_choice.yaml"))],
)
def test_a_micro_task_is_evaluated_from_the_command_line(command: str, task: str) -> None:
    answer = run(
        command,
        *("--model", "judge_decoding", "--model_args", "pair=micro,verifier=exact"),
        *("--tasks", task, "--limit", "1", "--apply_chat_template"),
    )
    assert answer.returncode == 0, answer.stderr
    assert "|micro_choice|" in answer.stdout


@pytest.mark.slow
def test_a_mistake_is_one_line_and_status_2() -> None:
    answer = run(
        "evals",
        *("--model", "judge_decoding", "--model_args", "pair=micro,verifier=jugde"),
        *("--tasks", "micro_choice"),
    )
    assert answer.returncode == 2
    assert answer.stderr.splitlines()[-1].startswith("verifier.decoders: there is no decoder")
