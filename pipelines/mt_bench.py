"""The configured MT-Bench: its questions, the run that answers them, and who grades."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge_lightning.errors import UserError
from pipelines.config import ChatConfig, ModelConfig, MTBenchConfig, RunConfig
from pipelines.durable import sha256_of_file
from pipelines.pair import named_model

if TYPE_CHECKING:
    from evals.mt_bench.questions import BenchQuestion

_PATH = "mt_bench.path"


def grader_of(config: RunConfig) -> ChatConfig:
    """Who grades.

    Raises:
        AssertionError: The run has no MT-Bench.
    """
    assert config.mt_bench.grader is not None, "the stage is not wanted"
    return config.mt_bench.grader


def local_grader(config: RunConfig) -> ModelConfig | None:
    """The model that is loaded to grade; None where nobody grades or an endpoint does."""
    grader = config.mt_bench.grader
    if grader is None or grader.kind != "local":
        return None
    return named_model(config, grader.model)


def bench_decoders(config: RunConfig) -> list[str]:
    """The decoders that answer."""
    chosen = config.mt_bench.decoders
    return list(config.verifier.decoders if chosen is None else chosen)


def answering_run(config: RunConfig) -> RunConfig:
    """The run as it decodes MT-Bench: its decoders, and room for two answers."""
    from evals.mt_bench.questions import TURNS

    bench = config.mt_bench
    verifier = replace(config.verifier, decoders=bench_decoders(config))
    engine = replace(
        config.engine,
        max_new_tokens=TURNS * bench.max_new_tokens,
        temperature=_highest_temperature(bench),
    )
    return replace(config, verifier=verifier, engine=engine)


def question_settings(bench: MTBenchConfig) -> dict[str, Any]:
    """What identifies the questions: a file's content, not where it lies."""
    chosen = {"categories": bench.categories, "questions": bench.questions}
    if bench.path is None:
        place = (bench.hub, bench.hub_split, bench.revision)
        return {"hub": list(place), **chosen}
    return {"sha256": _digest(bench.path), **chosen}


def load_questions(bench: MTBenchConfig) -> list[BenchQuestion]:
    """The questions that are asked.

    Raises:
        UserError: The file or the data set cannot be read, holds something else, or has none of
            those that are asked for.
    """
    from evals.mt_bench.questions import choose_questions, read_questions
    from judge_lightning.court.sources.places import read_files, read_hub

    rows: Iterator[Any]
    if bench.path is not None:
        rows = read_files(bench.path, _PATH)
    else:
        rows = read_hub(
            bench.hub,
            "mt_bench.hub",
            subset=None,
            split=bench.hub_split,
            revision=bench.revision,
            streaming=False,
        )
    return choose_questions(read_questions(rows), bench.categories, bench.questions)


def check_questions(bench: MTBenchConfig) -> None:
    """Raises UserError for what can be known to be wrong with the questions without the network."""
    from judge_lightning.court.sources.places import check_files

    if bench.questions is not None and bench.questions < 1:
        raise UserError("mt_bench.questions", f"is {bench.questions}", "give at least 1")
    if bench.path is not None:
        check_files(bench.path, _PATH)
        load_questions(bench)


def check_answering(config: RunConfig) -> None:
    """Raises UserError for decoders and limits that cannot be meant."""
    from evals.decoders import check_decoders, check_engine
    from evals.mt_bench.questions import SAMPLINGS
    from pipelines.decoding import decoders_reading_draft

    bench, names = config.mt_bench, bench_decoders(config)
    if bench.sampling not in SAMPLINGS:
        raise UserError(
            "mt_bench.sampling", f"unknown value {bench.sampling!r}", f"one of {list(SAMPLINGS)}"
        )
    if bench.max_new_tokens < 1:
        raise UserError("mt_bench.max_new_tokens", f"is {bench.max_new_tokens}", "give at least 1")
    try:
        check_decoders(names, config.verifier.rules)
    except UserError as error:
        field = "mt_bench.decoders" if error.field == "verifier.decoders" else error.field
        raise UserError(field, error.problem, error.remedy) from None
    decoding = answering_run(config)
    try:
        check_engine(
            decoding.engine.kind, decoding.engine.temperature, decoders_reading_draft(decoding)
        )
    except UserError as error:
        remedy = f"{error.remedy}, or mt_bench.sampling=greedy"
        raise UserError(error.field, error.problem, remedy) from None


def check_grading(config: RunConfig) -> None:
    """Raises UserError for a grader, or for ways of grading, that cannot be meant."""
    from evals.mt_bench.grading import GRADINGS
    from pipelines.chat import validate_chat

    bench = config.mt_bench
    validate_chat("mt_bench.grader", grader_of(config))
    unknown = [name for name in bench.grading if name not in GRADINGS]
    if unknown or not bench.grading:
        problem = f"unknown value {unknown[0]!r}" if unknown else "is empty"
        raise UserError("mt_bench.grading", problem, f"some of {list(GRADINGS)}")
    for name, least in (("grade_tokens", 1), ("batch_size", 1), ("ask_again", 0)):
        if getattr(bench, name) < least:
            value = getattr(bench, name)
            raise UserError(f"mt_bench.{name}", f"is {value}", f"give {least} or more")
    if not 0.0 <= bench.max_ungraded <= 1.0:
        raise UserError("mt_bench.max_ungraded", f"{bench.max_ungraded} is no share", "give 0 to 1")


def _highest_temperature(bench: MTBenchConfig) -> float:
    """Before the questions are read: of all categories that there may be."""
    from evals.mt_bench.questions import GREEDY, TEMPERATURES

    if bench.sampling == GREEDY:
        return 0.0
    return max(TEMPERATURES.get(name, 1.0) for name in bench.categories or TEMPERATURES)


def _digest(path: str) -> list[str] | None:
    from judge_lightning.court.sources.places import local_files

    try:
        return [sha256_of_file(Path(file)) for file in local_files(path)]
    except OSError:
        return None  # validate() says which file and why.
