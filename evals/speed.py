"""Speed and acceptance of the decoders, from their generations and timings."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from evals.generations import Generation, Timing
from evals.statistics import proportion

T = TypeVar("T")


@dataclass(frozen=True)
class DecoderStatistics:
    """One decoder over a set of prompts (DESIGN, section 5 has the terms).

    ``speedup`` is tokens per second over the target's alone on the same prompts, on the same
    machine, one prompt at a time. ``right`` is the share of answers that the court's checker
    accepts, with its standard error.
    """

    prompts: int
    tokens: int
    seconds: float
    tokens_per_second: float
    speedup: float
    cycles: int
    accepted_per_cycle: float
    tokens_per_cycle: float
    right: float
    right_stderr: float


def decoder_statistics(
    generations: Mapping[str, Sequence[Generation]],
    timings: Sequence[Timing],
    family: str | None = None,
) -> dict[str, DecoderStatistics]:
    """Summarises every decoder over one family's prompts, or over all of them.

    Args:
        generations: Per decoder; ``target`` must be among them.
        timings: Of all of them.
        family: None takes every prompt.
    """
    chosen = {
        decoder: [row for row in rows if family in (None, row.family)]
        for decoder, rows in generations.items()
    }
    seconds = {(timing.decoder, timing.prompt_id): timing.seconds for timing in timings}
    rates = {decoder: _rate(rows, seconds) for decoder, rows in chosen.items()}
    return {
        decoder: _statistics(rows, seconds, rates[decoder], rates["target"])
        for decoder, rows in chosen.items()
        if rows
    }


def spread_evenly(rows: Sequence[T], count: int) -> list[T]:
    """``count`` of the rows, evenly spread and in their order; all where there are fewer."""
    count = min(count, len(rows))
    return [rows[place * len(rows) // count] for place in range(count)]


def differing_answers(
    answers: Mapping[str, Sequence[Generation]], reference: Mapping[str, Sequence[Generation]]
) -> list[tuple[str, str]]:
    """The answers, as (decoder, prompt id), whose tokens are not the reference's to the prompt.

    Both are by decoder; the reference answers at least the same prompts.
    """
    differing = []
    for decoder, rows in answers.items():
        expected = {row.prompt_id: row.token_ids for row in reference[decoder]}
        differing += [
            (decoder, row.prompt_id) for row in rows if row.token_ids != expected[row.prompt_id]
        ]
    return differing


def accepted_histogram(generations: Sequence[Generation], draft_length: int) -> list[int]:
    """How many cycles accepted 0, 1, ..., ``draft_length`` draft tokens."""
    counts = Counter(accepted for row in generations for accepted in accepted_counts(row))
    return [counts[accepted] for accepted in range(draft_length + 1)]


def accepted_counts(generation: Generation) -> list[int]:
    """Draft tokens accepted in each cycle; without speculation every token is a cycle of 0."""
    if generation.trace is None:
        return [0] * len(generation.token_ids)
    return [cycle["accepted"] for cycle in generation.trace["cycles"]]


def _rate(rows: Sequence[Generation], seconds: Mapping[tuple[str, str], float]) -> float:
    tokens = sum(len(row.token_ids) for row in rows)
    spent = math.fsum(seconds[row.decoder, row.prompt_id] for row in rows)
    return tokens / spent if spent else 0.0


def _statistics(
    rows: Sequence[Generation],
    seconds: Mapping[tuple[str, str], float],
    rate: float,
    target_rate: float,
) -> DecoderStatistics:
    accepted = [count for row in rows for count in accepted_counts(row)]
    tokens = sum(len(row.token_ids) for row in rows)
    cycles = len(accepted)
    right = proportion([float(row.right) for row in rows])
    return DecoderStatistics(
        prompts=len(rows),
        tokens=tokens,
        seconds=math.fsum(seconds[row.decoder, row.prompt_id] for row in rows),
        tokens_per_second=rate,
        speedup=rate / target_rate if target_rate else 0.0,
        cycles=cycles,
        accepted_per_cycle=sum(accepted) / cycles if cycles else 0.0,
        tokens_per_cycle=tokens / cycles if cycles else 0.0,
        right=right.value,
        right_stderr=right.stderr,
    )
