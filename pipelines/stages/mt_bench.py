"""MT-Bench: a model grades every decoder's answers, and compares them with the target's."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from judge_lightning.errors import UserError
from pipelines.config import RunConfig
from pipelines.durable import write_json
from pipelines.mt_bench import check_grading, grader_of
from pipelines.stage import Stage, StageContext
from pipelines.stages.mt_answers import QUESTIONS

if TYPE_CHECKING:
    from evals.mt_bench.results import Results

RESULTS, USAGE = "results.json", "usage.json"


class MTBench(Stage):
    """Reads the answers; writes grades, comparisons, results and what the grading took.

    Replies are kept as they arrive: a run that was killed, or whose endpoint failed, asks for
    none of them again.
    """

    name = "mt_bench"
    reads = ("mt_answers",)

    def wanted(self, config: RunConfig) -> bool:
        return config.mt_bench.grader is not None

    def settings(self, config: RunConfig) -> dict[str, Any]:
        from pipelines.chat import chat_settings

        bench = config.mt_bench
        return {
            "grader": chat_settings(config, grader_of(config)),
            "grading": list(bench.grading),
            "grade_tokens": bench.grade_tokens,
            "ask_again": bench.ask_again,
        }

    def validate(self, config: RunConfig) -> None:
        check_grading(config)

    def run(self, context: StageContext) -> None:
        from evals.generations import read_rows, write_rows
        from evals.mt_bench.answers import read_answers
        from evals.mt_bench.grading import PAIRWISE, SINGLE, Grader, compare_answers, grade_answers
        from evals.mt_bench.questions import BenchQuestion
        from evals.mt_bench.results import summarise_grades
        from pipelines.chat import load_kept_chat

        bench, folder = context.config.mt_bench, context.inputs["mt_answers"]
        scratch = context.work / "scratch"
        scratch.mkdir(exist_ok=True)
        chat = load_kept_chat(
            context.config,
            "mt_bench.grader",
            grader_of(context.config),
            scratch / "replies.jsonl",
            bench.batch_size,
        )
        grader = Grader(
            chat,
            bench.grade_tokens,
            bench.ask_again,
            lambda replies, total: context.recorder.progress(replies, total=total, unit="replies"),
        )
        questions = list(read_rows(folder / QUESTIONS, BenchQuestion))
        answers = read_answers(folder)
        grades = grade_answers(grader, questions, answers) if SINGLE in bench.grading else []
        matches = compare_answers(grader, questions, answers) if PAIRWISE in bench.grading else []
        results = summarise_grades(answers, grades, matches)
        _refuse_ungraded(results, len(grades) + len(matches), bench.max_ungraded)
        write_rows(context.work / "grades.jsonl", grades)
        write_rows(context.work / "comparisons.jsonl", matches)
        write_json(context.work / RESULTS, asdict(results))
        usage = asdict(chat.usage)
        write_json(context.work / USAGE, usage)
        # Retries and prices are no part of the result.
        context.volatile.add(USAGE)
        _record(context, results, usage)


def _refuse_ungraded(results: Results, verdicts: int, most: float) -> None:
    """Raises UserError where too many verdicts are missing to speak of the rest."""
    missing = results.ungraded
    if len(missing) <= most * verdicts:
        return
    reasons = [row.reason for row in missing]
    counts = ", ".join(f"{reason}: {reasons.count(reason)}" for reason in dict.fromkeys(reasons))
    first = missing[0]
    raise UserError(
        "mt_bench.grader",
        f"{len(missing)} of {verdicts} verdicts are missing ({counts}; the first: question"
        f" {first.question}, turn {first.turn}, {first.decoder})",
        "run again, what was answered is kept; or raise mt_bench.ask_again or grade_tokens, or"
        " accept it with mt_bench.max_ungraded",
    )


def _record(context: StageContext, results: Results, usage: dict[str, Any]) -> None:
    metric = context.recorder.metric
    for name, value in usage.items():
        metric(name, value)
    metric("ungraded", len(results.ungraded))
    for decoder, scores in results.scores.items():
        if scores.all.value is not None:
            metric(f"{decoder}/score", scores.all.value)
    for decoder, record in results.matches.items():
        for name in ("wins", "ties", "losses"):
            metric(f"{decoder}/{name}", getattr(record, name))


STAGE = MTBench()
