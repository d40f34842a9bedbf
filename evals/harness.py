"""Runs lm-evaluation-harness over one decoder and brings its results into our terms."""

from __future__ import annotations

import importlib.util
import json
import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from tqdm import tqdm

from judge_lightning.court.records import Prompt
from judge_lightning.errors import UserError

if TYPE_CHECKING:
    from lm_eval.api.model import LM

TASK_FOLDER = Path(__file__).parent / "tasks"
LOCAL_TASKS = tuple(
    sorted(path.stem for path in TASK_FOLDER.glob("*.yaml") if not path.stem.startswith("_"))
)
"""Tasks over the run's own held-out prompts: ``micro_<family>``."""


@dataclass(frozen=True)
class TaskScores:
    """One decoder's score on every document of one task, in the documents' order."""

    metric: str
    document_ids: tuple[str, ...]
    scores: tuple[float, ...]


def family_of(task: str) -> str:
    """The prompt family that a local task asks: ``micro_word`` asks ``word``."""
    return task.removeprefix("micro_")


def check_tasks(tasks: Sequence[str]) -> None:
    """Raises UserError for a task that neither this project nor lm-eval has."""
    for task in tasks:
        if task not in LOCAL_TASKS:
            lm_eval_task_file(task)


def write_documents(prompts: Iterable[Prompt], folder: Path) -> dict[str, Path]:
    """Writes one data file per family, as the local tasks read them; maps family to file."""
    by_family: dict[str, list[Prompt]] = defaultdict(list)
    for prompt in prompts:
        by_family[prompt.family].append(prompt)
    files = {}
    for family, rows in by_family.items():
        files[family] = folder / f"{family}.jsonl"
        with files[family].open("w", encoding="utf-8") as file:
            for row in rows:
                document = {
                    "id": row.id,
                    "text": row.text,
                    "reference": row.reference,
                    "record": json.dumps(asdict(row), ensure_ascii=False, sort_keys=True),
                }
                file.write(json.dumps(document, ensure_ascii=False) + "\n")
    return files


def evaluate_decoder(
    lm: LM,
    tasks: Sequence[str],
    documents: Mapping[str, Path],
    cache: Path,
    limit: int | None = None,
) -> dict[str, TaskScores]:
    """Runs lm-eval's tasks over one decoder.

    Args:
        lm: The decoder, as ``evals.adapter.JudgeDecodingLM``.
        tasks: Names of local tasks and of lm-eval's own.
        documents: Per family, the file that ``write_documents`` wrote.
        cache: A folder for the local data sets that ``datasets`` prepares.
        limit: Documents per task; None takes all.

    Raises:
        UserError: A local task's family has no held-out prompt.
    """
    import datasets
    from lm_eval import evaluator
    from lm_eval.tasks import TaskManager

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    datasets.disable_progress_bars()
    files = [_task_file(task, documents, cache) for task in tasks]
    # Found by their files: an index of lm-eval's 14,000 task files takes a minute to build.
    folders = sorted({str(file.parent) for file in files})
    manager = TaskManager(include_path=folders, include_defaults=False)
    loaded = manager.load([str(file) for file in files])
    for task in loaded["tasks"].values():
        task.set_config(key="num_fewshot", value=task.get_config("num_fewshot") or 0)
        task.set_fewshot_seed(seed=1234)
    # `evaluate`, the part of `simple_evaluate` that evaluates: the rest of it lists the
    # machine's packages by running pip, once a decoder. Its bar cannot be switched off.
    with mock.patch("lm_eval.api.task.tqdm", partial(tqdm, disable=True)):
        results = evaluator.evaluate(
            lm=lm,
            task_dict=loaded,
            limit=limit,
            bootstrap_iters=0,
            log_samples=True,
            apply_chat_template=True,
            fewshot_as_multiturn=True,
        )
    return {task: _scores(rows, loaded["tasks"][task]) for task, rows in results["samples"].items()}


def lm_eval_task_file(task: str) -> Path:
    """The file in which lm-eval defines a task or a group, without importing lm-eval.

    Raises:
        UserError: There is none.
    """
    found = importlib.util.find_spec("lm_eval")
    root = Path(found.origin).parent / "tasks" if found and found.origin else Path()
    declared = re.compile(rf"^(?:task|group):\s*['\"]?{re.escape(task)}['\"]?\s*$", re.MULTILINE)
    for folder in (root / task.split("_", maxsplit=1)[0], root):
        for file in sorted(folder.rglob("*.yaml")):
            if declared.search(file.read_text(encoding="utf-8", errors="ignore")):
                return file
    raise UserError(
        "eval.tasks",
        f"there is no task {task!r}",
        f"use {', '.join(LOCAL_TASKS)} or a task of lm-eval (`lm_eval ls tasks`)",
    )


def _task_file(task: str, documents: Mapping[str, Path], cache: Path) -> Path:
    if task not in LOCAL_TASKS:
        return lm_eval_task_file(task)
    family = family_of(task)
    if family not in documents:
        raise UserError(
            "eval.tasks",
            f"{task} has no held-out prompt of the family {family!r}",
            f"add a source of that family to data, or remove {task}",
        )
    # JSON is YAML; the file only adds to the task where its documents are.
    data = {"data_files": {"test": str(documents[family])}, "cache_dir": str(cache)}
    filled_in = {
        "include": str((TASK_FOLDER / f"{task}.yaml").resolve()),
        "task": task,
        "dataset_kwargs": data,
    }
    cache.mkdir(parents=True, exist_ok=True)
    file = cache / f"{task}.yaml"
    file.write_text(json.dumps(filled_in), encoding="utf-8")
    return file.resolve()


def _scores(samples: Sequence[Mapping[str, Any]], task: Any) -> TaskScores:
    """The task's first metric under its last filter: lm-eval lists the strictest filter first."""
    metric = next(iter(task.aggregation()))
    last_filter = samples[-1]["filter"]
    chosen = sorted(
        (sample for sample in samples if sample["filter"] == last_filter),
        key=lambda sample: int(sample["doc_id"]),
    )
    return TaskScores(
        metric=metric,
        document_ids=tuple(str(s["doc"].get("id", s["doc_id"])) for s in chosen),
        scores=tuple(float(s[metric]) for s in chosen),
    )
