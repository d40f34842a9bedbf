"""Evaluate: lm-evaluation-harness over the same decoders."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge_lightning.errors import UserError
from pipelines.config import RunConfig
from pipelines.draft_length import draft_length_of
from pipelines.pair import load_pair_tokenizer, pair_loader
from pipelines.stage import Stage, StageContext
from pipelines.stages.decode import held_out_prompts, judge_folder

if TYPE_CHECKING:
    from evals.harness import TaskScores
    from judge_lightning.court.records import Prompt

Scores = dict[str, dict[str, "TaskScores"]]


class Evaluate(Stage):
    """Reads prompts, the judge and the generations; writes each task's score per decoder, and
    the examples that the report shows.

    What ``decode`` has already answered is not decoded again.
    """

    name = "evaluate"
    version = 2
    reads = ("prompts", "calibrate", "certify", "decode")

    def settings(self, config: RunConfig) -> dict[str, Any]:
        return {
            "tasks": list(config.eval.tasks),
            "limit": config.eval.limit,
            "decoders": list(config.verifier.decoders),
            "headline": config.eval.headline,
            "confidence": config.eval.confidence,
        }

    def validate(self, config: RunConfig) -> None:
        from evals.harness import check_tasks

        check_tasks(config.eval.tasks)
        if not 0 < config.eval.confidence < 1:
            raise UserError(
                "eval.confidence", f"{config.eval.confidence} is no confidence", "give 0.95"
            )

    def run(self, context: StageContext) -> None:
        from evals.adapter import JudgeDecodingLM
        from evals.harness import evaluate_decoder, write_documents

        config = context.config
        scratch = context.work / "scratch"
        scratch.mkdir(exist_ok=True)
        prompts = held_out_prompts(context)
        documents = write_documents(prompts, scratch)
        tokenizer = load_pair_tokenizer(config)
        load_pair = cache(pair_loader(config))
        scores: Scores = {task: {} for task in config.eval.tasks}
        decoders = list(config.verifier.decoders) if config.eval.tasks else []
        for decoder in context.recorder.progress(decoders, total=len(decoders), unit="decoders"):
            lm = JudgeDecodingLM(
                pair=load_pair,
                decoder=decoder,
                judge=str(judge_folder(context)),
                draft_length=draft_length_of(config.engine),
                max_gen_toks=config.engine.max_new_tokens,
                temperature=config.engine.temperature,
                seed=config.seed,
                tokenizer=tokenizer,
                recorded=_recorded(context.inputs["decode"], decoder, prompts, tokenizer),
                rules=config.verifier.rules,
            )
            results = evaluate_decoder(
                lm, config.eval.tasks, documents, scratch / "datasets", config.eval.limit
            )
            for task, row in results.items():
                scores.setdefault(task, {})[decoder] = row
            context.recorder.metric(f"{decoder}/decoded_live", lm.decoded_live)
        _write(context, scores)
        if "judge" in config.verifier.decoders:
            _write_examples(context, prompts, tokenizer)


def _recorded(folder: Path, decoder: str, prompts: Any, tokenizer: Any) -> dict[Any, Any]:
    from evals.generations import read_generations
    from judge_lightning.court.prompting import render_prompt

    generations = {row.prompt_id: row for row in read_generations(folder, decoder)}
    return {
        tuple(render_prompt(tokenizer, prompt.text)): generations[prompt.id] for prompt in prompts
    }


def _write(context: StageContext, scores: Scores) -> None:
    from evals.paired import compare_paired
    from evals.statistics import proportion

    results: dict[str, dict[str, Any]] = {}
    paired: dict[str, Any] = {}
    for task, by_decoder in scores.items():
        results[task] = {
            decoder: {**asdict(proportion(row.scores)), "metric": row.metric}
            for decoder, row in by_decoder.items()
        }
        for decoder, result in results[task].items():
            context.recorder.metric(f"{task}/{decoder}", result["value"])
        alone, confidence = by_decoder["target"].scores, context.config.eval.confidence
        compared = {
            decoder: compare_paired(row.scores, alone, confidence)
            for decoder, row in by_decoder.items()
            if decoder != "target"
        }
        paired[task] = {decoder: asdict(found) for decoder, found in compared.items()}
        for decoder, found in compared.items():
            for name in ("value", "low", "high", "turned_wrong", "turned_right"):
                number = float(getattr(found, name))
                context.recorder.metric(f"{task}/{decoder}_minus_target/{name}", number)
        _write_samples(context.work / f"samples-{task}.jsonl", by_decoder)
    for name, content in (("results", results), ("paired", paired)):
        text = json.dumps(content, indent=2, sort_keys=True)
        (context.work / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def _write_examples(context: StageContext, prompts: list[Prompt], tokenizer: Any) -> None:
    """Answers to look at, from the generations: they are made here because the tokens' texts
    need the tokenizer, which the report does without."""
    from evals.examples import make_examples, write_examples
    from evals.generations import read_generations, text_of

    folder = context.inputs["decode"]
    generations = {
        decoder: {row.prompt_id: row for row in read_generations(folder, decoder)}
        for decoder in context.config.verifier.decoders
    }
    headline = context.config.eval.headline
    examples = make_examples(prompts, generations, headline, partial(text_of, tokenizer))
    write_examples(context.work / "examples.jsonl", examples)


def _write_samples(path: Path, by_decoder: dict[str, TaskScores]) -> None:
    ids = next(iter(by_decoder.values())).document_ids
    with path.open("w", encoding="utf-8") as file:
        for place, document_id in enumerate(ids):
            scores = {decoder: row.scores[place] for decoder, row in by_decoder.items()}
            file.write(json.dumps({"id": document_id, **scores}) + "\n")


STAGE = Evaluate()
