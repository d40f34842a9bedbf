"""Which tasks there are, where their files lie, and what they need; imports no lm-eval."""

from __future__ import annotations

import difflib
import importlib.util
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from judge_lightning.errors import UserError

TASK_FOLDER = Path(__file__).parent / "tasks"
LOCAL_TASKS = tuple(
    sorted(path.stem for path in TASK_FOLDER.glob("*.yaml") if not path.stem.startswith("_"))
)
"""Our own: ``micro_<family>`` over held-out prompts, ``llama3_<benchmark>`` over public ones."""

_IN_OUR_SANDBOX = {"humaneval": "llama3_humaneval", "mbpp": "llama3_mbpp"}
_NAME = re.compile(r"^\s*(?:- )?['\"]?(?:task|group)['\"]?:\s*['\"]?([\w.+-]+)['\"]?\s*$", re.M)
_INCLUDE = re.compile(r"^['\"]?include['\"]?:\s*['\"]?([^'\"\s]+)", re.M)
_UNSAFE = re.compile(r"^unsafe_code:\s*true", re.M)
_BENCHMARK = re.compile(r"^\s+benchmark:\s*(\w+)", re.M)
_SHOTS = re.compile(r"^num_fewshot:\s*(\d+)", re.M)


def family_of(task: str) -> str | None:
    """The prompt family that a micro task asks: ``micro_word`` asks ``word``."""
    return task.removeprefix("micro_") if task.startswith("micro_") else None


def benchmark_of(task: str) -> str | None:
    """The name in ``BENCHMARKS`` of what one of our tasks asks; None for all other tasks."""
    if task not in LOCAL_TASKS:
        return None
    found = _BENCHMARK.search(task_file(task).read_text(encoding="utf-8"))
    return found[1] if found else None


def check_tasks(
    tasks: Sequence[str],
    *,
    allow_code: bool | None = False,
    data_dir: str | None = None,
    num_fewshot: int | None = None,
) -> None:
    """Finds out before any work what would stop an evaluation.

    Args:
        allow_code: Whether generated code may run; None where none is going to.
        data_dir: The folder with the public benchmarks' files; None: the Hub.
        num_fewshot: How many examples prompts have; None: the tasks' own numbers.

    Raises:
        UserError: A task that neither we nor lm-eval have, code that nobody has agreed to or that
            cannot be confined, a data file or a library that is missing.
    """
    for task in tasks:
        if runs_code(task):
            _check_code(task, allow_code)
        if benchmark_of(task) == "ifeval":
            _check_ifeval()
    data_files(tasks, data_dir, num_fewshot)


def data_files(
    tasks: Sequence[str], data_dir: str | None, num_fewshot: int | None = None
) -> list[Path]:
    """The local files that tasks read; none without ``data_dir``.

    Raises:
        UserError: One is missing or empty.
    """
    if data_dir is None:
        return []
    from evals.benchmarks import local_files

    benchmarks = {task: benchmark_of(task) for task in tasks}
    return [
        file
        for task, benchmark in benchmarks.items()
        if benchmark
        for file in local_files(benchmark, data_dir, examples=bool(_shots(task, num_fewshot)))
    ]


def _shots(task: str, num_fewshot: int | None) -> int:
    own = _SHOTS.search(task_file(task).read_text(encoding="utf-8"))
    default = int(own[1]) if own else 1
    return default if num_fewshot is None else num_fewshot


def runs_code(task: str) -> bool:
    """Whether a task's scoring runs what was generated.

    Raises:
        UserError: There is no such task.
    """
    file: Path | None = task_file(task)
    while file is not None:
        text = file.read_text(encoding="utf-8", errors="ignore")
        if _UNSAFE.search(text):
            return True
        included = _INCLUDE.search(text)
        file = file.parent / included[1] if included else None
        file = file if file is not None and file.is_file() else None
    return False


@cache
def task_file(task: str) -> Path:
    """The file in which we or lm-eval define a task or a group.

    Raises:
        UserError: There is none; it names the nearest names that there are.
    """
    if task in LOCAL_TASKS:
        return TASK_FOLDER / f"{task}.yaml"
    root = _lm_eval_tasks()
    declared = re.compile(
        rf"^['\"]?(?:task|group)['\"]?:\s*['\"]?{re.escape(task)}['\"]?\s*$", re.M
    )
    for folder in (root / task.split("_", maxsplit=1)[0], root):
        for file, text in _texts(folder):
            if declared.search(text):
                return file
    known = {name for _, text in _texts(root) for name in _NAME.findall(text)}
    nearest = difflib.get_close_matches(task, [*LOCAL_TASKS, *sorted(known)], n=3)
    remedy = f"did you mean {' or '.join(nearest)}?" if nearest else "see `judge-eval ls tasks`"
    raise UserError("eval.tasks", f"there is no task {task!r}", remedy)


def _texts(folder: Path) -> Iterator[tuple[Path, str]]:
    for file in sorted(folder.rglob("*.yaml")):
        yield file, file.read_text(encoding="utf-8", errors="ignore")


def _lm_eval_tasks() -> Path:
    found = importlib.util.find_spec("lm_eval")
    return Path(found.origin).parent / "tasks" if found and found.origin else Path()


def _check_code(task: str, allow_code: bool | None) -> None:
    if task not in LOCAL_TASKS:
        ours = _IN_OUR_SANDBOX.get(task.split("_", maxsplit=1)[0])
        remedy = f"use {ours}, which has one" if ours else "leave it out"
        raise UserError("eval.tasks", f"{task} runs generated code without a sandbox", remedy)
    if allow_code is None:
        return
    if not allow_code:
        raise UserError(
            "eval.allow_code",
            f"{task} runs generated code on this machine",
            "read docs/sandbox.md, then agree with eval.allow_code=true",
        )
    from judge_lightning.sandbox import require_isolation

    require_isolation()


def _check_ifeval() -> None:
    missing = [
        name
        for name in ("immutabledict", "langdetect", "nltk")
        if importlib.util.find_spec(name) is None
    ]
    if missing:
        remedy = 'pip install -e ".[ifeval]"'
        raise UserError("eval.tasks", f"llama3_ifeval needs {', '.join(missing)}", remedy)
    import nltk

    try:
        nltk.data.find("tokenizers/punkt_tab")
    except LookupError:
        problem = "llama3_ifeval needs nltk's data punkt_tab, which is not here"
        remedy = "fetch it where there is a network: python -m nltk.downloader punkt_tab"
        raise UserError("eval.tasks", problem, remedy) from None
