"""Evaluate: lm-evaluation-harness over the same decoders."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge_lightning.errors import UserError
from pipelines.config import RunConfig
from pipelines.draft_length import draft_length_of
from pipelines.durable import sha256_of_file
from pipelines.pair import load_pair_tokenizer, pair_loader
from pipelines.stage import Stage, StageContext
from pipelines.stages.decode import held_out_prompts, judge_folder
from pipelines.stand_in import seed_of

if TYPE_CHECKING:
    from evals.harness import TaskScores
    from judge_lightning.court.records import Prompt
    from judge_lightning.decoding.trace import Trace
    from judge_lightning.models.pair import Pair

_MOST_DOCUMENTS = {"micro": 2_000, "others": 15_000}
"""Of a task; MMLU is the largest."""
_DOCUMENT_BYTES = 6_000
"""A prompt and an answer."""

Scores = dict[str, dict[str, "TaskScores"]]


class Evaluate(Stage):
    """Reads prompts, the judge and the generations; writes each task's score per decoder, what
    each decoder answered (``answers-<task>-<decoder>.jsonl``), and the examples that the report
    shows.

    What ``decode``, or this stage before it was killed, has already answered is not decoded again.
    """

    name = "evaluate"
    version = 4
    reads = ("prompts", "calibrate", "certify", "decode")

    def settings(self, config: RunConfig) -> dict[str, Any]:
        from evals.task_files import data_files

        asked = asdict(config.eval)
        for unused in ("name", "data_dir", "allow_code", "batch_size"):
            del asked[unused]
        files = data_files(config.eval.tasks, config.eval.data_dir, config.eval.num_fewshot)
        return {
            **asked,
            "data": {file.name: sha256_of_file(file) for file in files},
            "decoders": list(config.verifier.decoders),
        }

    def validate(self, config: RunConfig) -> None:
        from evals.task_files import check_tasks

        asked = config.eval
        for name, least in (("limit", 1), ("num_fewshot", 0)):
            value = getattr(asked, name)
            if value is not None and value < least:
                raise UserError(f"eval.{name}", f"is {value}", f"give at least {least}")
        if not 0 < asked.confidence < 1:
            raise UserError("eval.confidence", f"{asked.confidence} is no confidence", "give 0.95")
        check_tasks(
            asked.tasks,
            # A plan runs nothing, and the machine that it is for may be another one.
            allow_code=None if config.dry_run else asked.allow_code,
            data_dir=asked.data_dir,
            num_fewshot=asked.num_fewshot,
        )

    def disk_bytes(self, config: RunConfig) -> int:
        from evals.task_files import family_of

        kinds = ["micro" if family_of(task) else "others" for task in config.eval.tasks]
        documents = sum(config.eval.limit or _MOST_DOCUMENTS[kind] for kind in kinds)
        return 32 * 2**20 + documents * len(config.verifier.decoders) * _DOCUMENT_BYTES

    def run(self, context: StageContext) -> None:
        from evals.harness import HarnessSettings, evaluate_decoder
        from evals.lm.model import JudgeDecodingLM
        from evals.tasks.documents import write_documents

        config = context.config
        scratch = context.work / "scratch"
        scratch.mkdir(exist_ok=True)
        prompts = held_out_prompts(context)
        settings = HarnessSettings(
            limit=config.eval.limit,
            num_fewshot=config.eval.num_fewshot,
            seed=config.eval.seed,
            documents=write_documents(prompts, scratch),
            data_dir=config.eval.data_dir,
            allow_code=config.eval.allow_code,
            chat_template=config.eval.chat_template,
            multiturn=config.eval.multiturn,
            system_instruction=config.eval.system_instruction,
        )
        tokenizer = load_pair_tokenizer(config)
        load_pair = cache(pair_loader(config))
        scores: Scores = {task: {} for task in config.eval.tasks}
        decoders = list(config.verifier.decoders) if config.eval.tasks else []
        for decoder in context.recorder.progress(decoders, total=len(decoders), unit="decoders"):
            lm = JudgeDecodingLM(
                pair=load_pair,
                verifier=decoder,
                judge=str(judge_folder(context)),
                draft_length=draft_length_of(config.engine),
                max_gen_toks=config.engine.max_new_tokens,
                temperature=config.engine.temperature,
                seed=config.seed,
                batch_size=config.eval.batch_size,
                truncate=config.eval.truncate,
                tokenizer=tokenizer,
                recorded=_recorded(context.inputs["decode"], decoder, prompts, tokenizer),
                rules=config.verifier.rules,
            )
            results = evaluate_decoder(lm, config.eval.tasks, settings, context.work)
            for task, row in results.items():
                scores.setdefault(task, {})[decoder] = row
            context.recorder.metric(f"{decoder}/decoded_live", lm.decoded_live)
        _write(context, scores)
        if "judge" in config.verifier.decoders:
            _write_examples(context, prompts, tokenizer, load_pair)


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


def _write_examples(
    context: StageContext, prompts: list[Prompt], tokenizer: Any, load_pair: Callable[[], Pair]
) -> None:
    """Answers to look at, from the generations: they are made here because they need the tokenizer
    and the pair, which the report does without."""
    from evals.examples import make_examples, write_examples
    from evals.generations import read_generations, text_of
    from evals.token_chances import TraceChances, read_traces
    from judge_lightning.court.prompting import render_prompt

    config = context.config
    folder = context.inputs["decode"]
    generations = {
        decoder: {row.prompt_id: row for row in read_generations(folder, decoder)}
        for decoder in config.verifier.decoders
    }
    # A stand-in thinks as its seed does, and takes longer.
    seeds = replace(
        config.pair, target=seed_of(config.pair.target), draft=seed_of(config.pair.draft)
    )
    load = load_pair if seeds == config.pair else pair_loader(replace(config, pair=seeds))

    def read(chosen: Sequence[Prompt], traces: Sequence[Trace]) -> list[TraceChances]:
        ids = [render_prompt(tokenizer, prompt.text) for prompt in chosen]
        return read_traces(load(), ids, traces)

    examples = make_examples(
        prompts,
        generations,
        config.eval.headline,
        partial(text_of, tokenizer),
        read=read,
        spell=lambda token: str(tokenizer.convert_ids_to_tokens(token)),
    )
    write_examples(context.work / "examples.jsonl", examples)


def _write_samples(path: Path, by_decoder: dict[str, TaskScores]) -> None:
    ids = next(iter(by_decoder.values())).document_ids
    with path.open("w", encoding="utf-8") as file:
        for place, document_id in enumerate(ids):
            scores = {decoder: row.scores[place] for decoder, row in by_decoder.items()}
            file.write(json.dumps({"id": document_id, **scores}) + "\n")


STAGE = Evaluate()
