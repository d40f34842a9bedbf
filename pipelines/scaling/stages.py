"""What each stage of a configured run would take: how many tokens, in which passes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from judge_lightning.models.pass_time import Engine, pass_time
from judge_lightning.models.size import ModelSize
from pipelines.authors import authors_of
from pipelines.config import RunConfig
from pipelines.scaling.decoding import decoder_rates
from pipelines.workloads import size_of

KNOWN_COUNTS = {"gsm8k_test": 1319}
"""Prompts of sources that are taken whole."""
TASKS = {
    # Documents, tokens of the prompt with its examples (rounded), tokens of the answer.
    "llama3_gsm8k": (1319, 1000, None),
    "llama3_humaneval": (164, 200, None),
    "llama3_arc_challenge": (1172, 150, 2),
    "llama3_mmlu": (14042, 800, 2),
}
"""Public sizes of the test sets; None: as long as the run's answers."""
TRAINING_SECONDS = 43.4
"""Measured: one linear head on 30,000 tokens of 16,384 numbers, two CPU cores, docs/training.md."""


@dataclass(frozen=True)
class Lengths:
    """Tokens of a prompt and of an answer, on average: assumptions, to be given for own data."""

    prompt: int
    answer: int


@dataclass(frozen=True)
class Need:
    """One line of the table. ``on_gpu`` False: the time is the CPU's, and the GPUs wait."""

    stage: str
    what: str
    seconds: float
    derivation: str
    on_gpu: bool = True


def needs_of(config: RunConfig, engine: Engine, lengths: Lengths) -> Iterator[Need]:
    """The stages that take most of a run, in their order."""
    target, draft = size_of(config.pair.target), size_of(config.pair.draft)
    yield from _mine(config, target, draft, engine, lengths)
    yield from _learn(config, target, engine, lengths)
    rates = decoder_rates(
        target,
        draft,
        engine,
        draft_length=_draft_length(config),
        context=lengths.prompt + lengths.answer // 2,
    )
    held_out = _prompts(config, held_out=True)
    for decoder in config.verifier.decoders:
        if (rate := rates.get(decoder)) is None:
            continue
        tokens = held_out * lengths.answer
        speed = f"{rate.tokens_per_second:,.1f} tokens/s"
        yield Need(
            "decode",
            f"{decoder}, {held_out:,} prompts",
            tokens / rate.tokens_per_second,
            f"{held_out:,} x {lengths.answer} tokens / {speed}",
        )
        total, parts = 0.0, []
        for task in config.eval.tasks:
            if task not in TASKS:
                continue
            documents, prompt, answer = TASKS[task]
            reading = pass_time(draft if decoder == "draft" else target, engine, tokens=prompt)
            written = (answer or lengths.answer) / rate.tokens_per_second
            total += documents * (reading.seconds + written)
            parts.append(f"{documents:,} x ({reading.seconds:.2g} + {written:.2g} s)")
        if parts:
            yield Need("evaluate", f"{decoder}, {len(parts)} tasks", total, " + ".join(parts))


def _mine(
    config: RunConfig, target: ModelSize, draft: ModelSize, engine: Engine, lengths: Lengths
) -> Iterator[Need]:
    prompts = _prompts(config, held_out=False)
    rows = config.mine.batch_size
    for name, author in authors_of(config).items():
        if author.kind != "local" or author.model not in ("target", "draft"):
            continue
        size = target if author.model == "target" else draft
        reading = pass_time(size, engine, tokens=lengths.prompt, rows=rows)
        middle = lengths.prompt + lengths.answer // 2
        step = pass_time(size, engine, tokens=1, rows=rows, context=middle)
        batches = math.ceil(prompts * author.samples / rows)
        yield Need(
            "mine",
            f"{name}, {prompts * author.samples:,} answers",
            batches * (reading.seconds + lengths.answer * step.seconds),
            f"{batches:,} batches of {rows} x ({reading.seconds:.2g} s + {lengths.answer} x"
            f" {step.formula()})",
        )


def _learn(
    config: RunConfig, target: ModelSize, engine: Engine, lengths: Lengths
) -> Iterator[Need]:
    answers = 2 * (config.dataset.maximum_tuples or _prompts(config, held_out=False))
    one = pass_time(target, engine, tokens=lengths.prompt + lengths.answer)
    yield Need("embed", f"{answers:,} answers", answers * one.seconds, f"each {one.formula()}")
    layers, width = len(target.parts.blocks), target.shape.width
    tokens = answers * lengths.answer
    share = tokens / 30_000 * width / 16_384
    yield Need(
        "train",
        f"{layers} layers, {tokens:,} tokens",
        TRAINING_SECONDS * share * layers,
        f"{TRAINING_SECONDS} s (measured) x {tokens:,} / 30,000 x {width:,} / 16,384 x {layers}",
        on_gpu=False,
    )


def _prompts(config: RunConfig, *, held_out: bool) -> int:
    """Prompts of the court, or those of the ``eval`` split, before any are filtered out."""
    total = 0.0
    for name, source in config.data.sources.items():
        count = source.count or KNOWN_COUNTS.get(name, 0)
        share = config.data.shares.get("eval", 0.0) if source.split is None else 0.0
        if source.split is not None:
            share = float(source.split == "eval")
        total += count * (share if held_out else 1 - share)
    return round(total)


def _draft_length(config: RunConfig) -> int:
    length = config.engine.draft_length
    return length if isinstance(length, int) else config.engine.longest_draft
