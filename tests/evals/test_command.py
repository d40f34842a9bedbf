"""``judge-eval`` is lm-eval's own command line with our model class and tasks in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from evals.lm.command import check_named, with_our_tasks
from evals.task_files import TASK_FOLDER
from judge_lightning.errors import UserError

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


@pytest.mark.parametrize(
    "arguments",
    [["--tasks", "micro_wrd"], ["--tasks=gsm8k,micro_wrd"], ["-t", "gsm8k", "micro_wrd", "-v"]],
)
def test_a_task_that_there_is_not_is_named_with_its_nearest(arguments: list[str]) -> None:
    with pytest.raises(UserError, match="no task 'micro_wrd'; did you mean micro_word"):
        check_named(arguments)


def test_patterns_files_and_known_tasks_are_left_to_lm_eval() -> None:
    check_named(["--tasks", "mmlu_*,my/task.yaml,micro_word", "--limit", "1"])
    check_named(["--limit", "1"])


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
    assert answer.stderr.splitlines()[-1].startswith(
        "error: verifier.decoders: there is no decoder"
    )
