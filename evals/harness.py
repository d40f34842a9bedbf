"""Runs lm-evaluation-harness over one decoder and brings its results into our terms."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from tqdm import tqdm

from evals.task_files import family_of, task_file
from judge_lightning.errors import UserError

if TYPE_CHECKING:
    from evals.lm.model import JudgeDecodingLM

_IDS = ("id", "task_id", "key")
"""What data sets call a document's name."""


@dataclass(frozen=True)
class Sample:
    """What one decoder did with one document.

    Attributes:
        id: The document's name, or its number where the data set has none.
        prompt: As the model read it, special tokens included.
        answers: As the decoder wrote them; usually one. For tasks that compare likelihoods, each
            choice's ``[log-probability, is greedy]``.
        filtered: What the task's filter made of them.
        target: The right answer, as the task has it.
        metric: What the score says.
    """

    id: str
    prompt: str
    answers: list[Any]
    filtered: list[Any]
    target: str
    metric: str
    score: float


@dataclass(frozen=True)
class TaskScores:
    """One decoder's score on every document of one task, in the documents' order."""

    metric: str
    document_ids: tuple[str, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True)
class HarnessSettings:
    """How tasks are asked.

    Attributes:
        limit: Documents per task, from the first on; None takes all.
        num_fewshot: Examples in the prompt, for tasks that have any; None: the tasks' own numbers.
        seed: Of the choice of examples, where a task draws them.
        documents: Per family, the file of a micro task (``write_documents``).
        data_dir: The folder with the public benchmarks' files; None: the Hub.
        allow_code: Whether generated code may run.
        chat_template: Whether prompts are rendered as a conversation.
        multiturn: Whether examples are turns of that conversation, or stand in its first one.
        system_instruction: The system prompt.
    """

    limit: int | None = None
    num_fewshot: int | None = None
    seed: int = 1234
    documents: Mapping[str, str] | None = None
    data_dir: str | None = None
    allow_code: bool = False
    chat_template: bool = True
    multiturn: bool = True
    system_instruction: str | None = None


def evaluate_decoder(
    lm: JudgeDecodingLM, tasks: Sequence[str], settings: HarnessSettings, folder: Path
) -> dict[str, TaskScores]:
    """Runs tasks over one decoder; what a killed call has finished is not done again.

    Args:
        lm: The decoder.
        tasks: Names of our tasks and of lm-eval's own; a group counts as one task.
        folder: Gets ``answers-<task>-<decoder>.jsonl``, a ``Sample`` a line. Answers on the way
            there lie in ``folder/scratch`` (lm-eval's own cache).

    Raises:
        UserError: A micro task's family has no held-out prompt, data cannot be read, or a document
            is longer than the context.
    """
    scores = {}
    for task in tasks:
        log = folder / f"answers-{task}-{lm.decoder}.jsonl"
        if not log.is_file():
            cache = folder / "scratch" / f"{task}-{lm.decoder}.db"
            _write_samples(log, _evaluate(lm, task, settings, cache))
        scores[task] = _scores(read_samples(log))
    return scores


def read_samples(file: Path) -> Iterator[Sample]:
    """Reads the log of one decoder and task."""
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            yield Sample(**json.loads(line))


def _scores(samples: Iterator[Sample]) -> TaskScores:
    rows = list(samples)
    return TaskScores(
        rows[0].metric, tuple(row.id for row in rows), tuple(row.score for row in rows)
    )


def _write_samples(file: Path, samples: Sequence[Sample]) -> None:
    """Renamed into place whole: a log that is there is complete."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    with beside.open("w", encoding="utf-8") as lines:
        for sample in samples:
            lines.write(json.dumps(asdict(sample), ensure_ascii=False, default=str) + "\n")
        lines.flush()
        os.fsync(lines.fileno())
    beside.replace(file)


def _evaluate(
    lm: JudgeDecodingLM, task: str, settings: HarnessSettings, cache: Path
) -> list[Sample]:
    from lm_eval import evaluator

    with ExitStack() as stack:
        stack.enter_context(_quiet())
        loaded = _load(task, settings)
        cached = stack.enter_context(_cached(lm, cache))
        # `evaluate`, the part of `simple_evaluate` that evaluates: the rest of it lists the
        # machine's packages by running pip, once a decoder.
        try:
            results = evaluator.evaluate(
                lm=cached,
                task_dict=loaded,
                limit=settings.limit,
                bootstrap_iters=0,
                log_samples=True,
                system_instruction=settings.system_instruction,
                apply_chat_template=settings.chat_template,
                fewshot_as_multiturn=settings.multiturn and settings.chat_template,
                confirm_run_unsafe_code=settings.allow_code,
            )
        except UserError as error:
            raise UserError(f"eval.tasks: {task}", error.problem, error.remedy) from error
    tasks = loaded["tasks"]
    several = len(tasks) > 1
    return [
        sample
        for name, rows in results["samples"].items()
        for sample in _samples(rows, tasks[name], f"{name}/" if several else "")
    ]


@contextmanager
def _quiet() -> Iterator[None]:
    """lm-eval's bars cannot be switched off, and its hints are for its own command line."""
    import datasets

    loggers = [logging.getLogger(name) for name in ("lm_eval", "sqlitedict")]
    levels = [logger.level for logger in loggers]
    bars = datasets.are_progress_bars_disabled()
    silent = partial(tqdm, disable=True)
    with mock.patch("lm_eval.api.task.tqdm", silent), mock.patch("lm_eval.api.model.tqdm", silent):
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        datasets.disable_progress_bars()
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
            if not bars:
                datasets.enable_progress_bars()


@contextmanager
def _cached(lm: JudgeDecodingLM, file: Path) -> Iterator[Any]:
    """The model behind lm-eval's own cache of answers, which is written as they come."""
    from lm_eval.api.model import CacheHook, CachingLM

    file.parent.mkdir(parents=True, exist_ok=True)
    caching = CachingLM(lm, str(file))
    try:
        with closing(caching.dbdict):
            yield caching
    finally:
        lm.set_cache_hook(CacheHook(None))


def _load(task: str, settings: HarnessSettings) -> Any:
    from lm_eval.tasks import TaskManager

    family = family_of(task)
    if family and settings.documents is not None and family not in settings.documents:
        raise UserError(
            "eval.tasks",
            f"{task} has no held-out prompt of the family {family!r}",
            f"add a source of that family to data, or remove {task}",
        )
    file = task_file(task)
    # Found by its file: an index of lm-eval's 14,000 task files takes a minute to build.
    manager = TaskManager(
        include_path=[str(file.parent)],
        include_defaults=False,
        metadata={
            "documents": settings.documents,
            "data_dir": settings.data_dir,
        },
    )
    loaded = manager.load([str(file)])
    for each in loaded["tasks"].values():
        own = each.get_config("num_fewshot") or 0
        # As lm-eval does: a task that has none in its file has none.
        asked = own if settings.num_fewshot is None or own == 0 else settings.num_fewshot
        each.set_config(key="num_fewshot", value=asked)
        each.set_fewshot_seed(seed=settings.seed)
    return loaded


def _samples(rows: Sequence[Mapping[str, Any]], task: Any, prefix: str) -> list[Sample]:
    """The task's first metric under its last filter: lm-eval lists the strictest filter first."""
    metric = next(iter(task.aggregation()))
    last_filter = rows[-1]["filter"]
    chosen = sorted(
        (row for row in rows if row["filter"] == last_filter), key=lambda row: int(row["doc_id"])
    )
    return [
        Sample(
            id=prefix + _id(row),
            prompt=str(row["arguments"][0][0]),
            answers=[answer for answers in row["resps"] for answer in answers],
            filtered=list(row["filtered_resps"]),
            target=str(row["target"]),
            metric=metric,
            score=float(row[metric]),
        )
        for row in chosen
    ]


def _id(row: Mapping[str, Any]) -> str:
    names = (row["doc"].get(name) for name in _IDS)
    return str(next((name for name in names if name not in (None, "")), row["doc_id"]))
