"""MT-Bench's answers: every decoder answers both turns of every question."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from judge_lightning.errors import UserError
from pipelines.config import RunConfig
from pipelines.decoding import judged_decoders, prepare_comparison, used_rules
from pipelines.draft_length import draft_length_setting
from pipelines.mt_bench import (
    answering_run,
    bench_decoders,
    check_answering,
    check_questions,
    load_questions,
    question_settings,
)
from pipelines.pair import pair_settings
from pipelines.stage import Stage, StageContext
from pipelines.stages.decode import judge_digest, judge_folder

QUESTIONS = "questions.jsonl"


class MTAnswers(Stage):
    """Reads the judge; writes the questions, and each one's answers, traces and timings."""

    name = "mt_answers"
    reads = ("calibrate", "certify")
    in_shards = True

    def wanted(self, config: RunConfig) -> bool:
        return config.mt_bench.grader is not None

    def settings(self, config: RunConfig) -> dict[str, Any]:
        decoding = answering_run(config)
        return {
            "pair": pair_settings(config.pair),
            "decoders": bench_decoders(config),
            "rules": used_rules(decoding),
            "draft_length": draft_length_setting(config.engine),
            "max_new_tokens": config.mt_bench.max_new_tokens,
            "sampling": config.mt_bench.sampling,
            "seed": config.seed,
            "judge": judge_digest(config.engine.judge_path),
            "questions": question_settings(config.mt_bench),
        }

    def validate(self, config: RunConfig) -> None:
        check_questions(config.mt_bench)
        check_answering(config)

    def run(self, context: StageContext) -> None:
        from evals.comparison import run_comparison
        from evals.generations import write_rows
        from evals.mt_bench.answers import plan_dialogues
        from evals.mt_bench.questions import TURNS

        bench, decoding = context.config.mt_bench, answering_run(context.config)
        questions = load_questions(bench)
        write_rows(context.work / QUESTIONS, questions)
        judge = judge_folder(context) if judged_decoders(decoding) else None
        comparison, crew = prepare_comparison(decoding, judge, "engine.kind", context.crew)
        comparison = replace(comparison, max_new_tokens=bench.max_new_tokens, turns=TURNS)
        dialogues = plan_dialogues(questions, context.work, bench.sampling)
        done = sum(dialogue.complete(comparison.decoders) for dialogue in dialogues)
        answered = run_comparison(comparison, dialogues, crew)
        for _ in context.recorder.progress(
            answered, total=len(dialogues), unit="questions", done=done
        ):
            pass
        context.volatile.update(dialogue.timings.name for dialogue in dialogues)
        _record(context)


def _record(context: StageContext) -> None:
    from evals.mt_bench.answers import read_answers
    from evals.mt_bench.results import turn_cycles

    answers = read_answers(context.work)
    left_out = [row for row in answers if row.problem]
    if len(left_out) == len(answers):
        raise UserError(
            "mt_bench.path",
            f"every question is {left_out[0].problem}",
            "choose others, or a pair with a longer context",
        )
    for reason in dict.fromkeys(row.problem for row in left_out):
        rows = [row for row in left_out if row.problem == reason]
        named = ", ".join(dict.fromkeys(f"{row.question} (turn {row.turn})" for row in rows))
        print(f"mt_answers: {len(rows)} of {len(answers)} answers left out, {reason}: {named}")
    context.recorder.metric("left_out", len(left_out))
    for decoder, turns in turn_cycles(answers).items():
        for turn, row in turns.items():
            for name, value in asdict(row).items():
                if value is not None:
                    context.recorder.metric(f"{decoder}/turn_{turn}/{name}", value)


STAGE = MTAnswers()
