"""Where the time goes in a decoder's cycle, beside what its forward passes alone would take."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evals.decoders import is_speculative
from evals.generations import Bound, Generation, Timing

if TYPE_CHECKING:
    from judge_lightning.decoding.decoder import SpeculativeDecoder

PARTS = ("draft", "verify", "judge", "overhead")
BOUND_PROMPTS = 5
"""Behind so many answers of a shard the bare passes are timed, spread evenly: what else the machine
does falls on them as on the cycles. Reading the prompt again, they cost about two cycles each."""
BOUND_REPETITIONS = 1


@dataclass(frozen=True)
class CycleSeconds:
    """Mean seconds of a decoder's whole cycles, by part.

    Whole cycles propose as many tokens as a block has, and are not the first of their answer,
    which reads the prompt, too; where blocks end of their own accord, all but the first count.

    Attributes:
        draft: Proposing the block.
        verify: The target's pass over it.
        judge: The verdict, that of the standard rule and that of the judge's head.
        overhead: The rest: rolling caches back, Python.
        bound: M bare draft forwards and one bare target forward over M + 1 tokens; None where
            they were not measured, or where blocks have no one length.
        cycles: How many the means are over.
    """

    draft: float
    verify: float
    judge: float
    overhead: float
    bound: float | None
    cycles: int

    @property
    def seconds(self) -> float:
        """Of a whole cycle."""
        return math.fsum(getattr(self, part) for part in PARTS)

    @property
    def efficiency(self) -> float | None:
        """The bound over the cycle, 1 for a decoder that costs nothing beside its passes."""
        return None if self.bound is None or not self.seconds else self.bound / self.seconds


def cycle_seconds(
    generations: Mapping[str, Sequence[Generation]],
    timings: Sequence[Timing],
    bounds: Sequence[Bound],
    draft_length: int | None,
    family: str | None = None,
) -> dict[str, CycleSeconds]:
    """The means of every speculative decoder whose timings have parts.

    Args:
        generations: Per decoder.
        timings: Of all of them.
        bounds: Those that were measured beside them.
        draft_length: M; None where blocks end of their own accord.
        family: None takes every prompt.
    """
    by_answer = {(timing.decoder, timing.prompt_id): timing for timing in timings}
    found = {}
    for decoder, every in generations.items():
        rows = [row for row in every if family in (None, row.family)]
        asked = {row.prompt_id for row in rows}
        measured = [bound.seconds for bound in bounds if bound.prompt_id in asked]
        cycles = [
            cycle
            for row in rows
            if is_speculative(decoder)
            for cycle in _whole_cycles(row.trace, by_answer[decoder, row.prompt_id], draft_length)
        ]
        if cycles:
            draft, verify, judge, overhead = map(_mean, zip(*cycles, strict=True))
            bound = _mean(measured) if measured and draft_length is not None else None
            found[decoder] = CycleSeconds(draft, verify, judge, overhead, bound, len(cycles))
    return found


def measure_bounds(
    decoders: Iterable[Any],
    engine: str,
    prompt_id: str,
    prompt: Sequence[int],
    answer: Sequence[int],
    *,
    longest_answer: int,
) -> list[Bound]:
    """Times the bare passes behind half an answer, where the answers' cycles are on average.

    Args:
        decoders: The first speculative one's models and engine are taken; none: nothing is timed.
        engine: Its engine's name.
        prompt: Token ids.
        answer: Token ids of an answer to it.
        longest_answer: For how many tokens behind the prompt the engine has room.
    """
    import torch

    from judge_lightning.decoding.bare import bare_cycles

    decoder = _first_of_fixed_length(decoders)
    room = 0 if decoder is None else longest_answer - decoder.roles.draft_length - 1
    if decoder is None or room < 0:
        return []
    read = [*prompt, *answer[: min(len(answer) // 2, room)]]
    ids = torch.tensor([read], device=decoder.target.device)
    return [
        Bound(prompt_id, round(passes.draft, 6), round(passes.target, 6), engine)
        for passes in bare_cycles(decoder, ids, BOUND_REPETITIONS)
    ]


def _first_of_fixed_length(decoders: Iterable[Any]) -> SpeculativeDecoder | None:
    from judge_lightning.decoding.decoder import SpeculativeDecoder

    for decoder in decoders:
        if isinstance(decoder, SpeculativeDecoder) and not decoder.roles.adaptive:
            return decoder
    return None


def _whole_cycles(
    trace: Any, timing: Timing, draft_length: int | None
) -> Iterator[tuple[float, ...]]:
    """Each whole cycle's draft, verify, judge and overhead; none where they were not timed."""
    parts = (timing.draft_seconds, timing.verify_seconds, timing.judge_seconds)
    if not all(parts):
        return
    for cycle, seconds, *spent in list(
        zip(trace["cycles"], timing.cycle_seconds, *parts, strict=True)
    )[1:]:
        if draft_length is None or len(cycle["proposed"]) == draft_length:
            yield (*spent, max(0.0, seconds - math.fsum(spent)))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
