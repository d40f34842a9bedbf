"""A decoded answer with its trace and its seconds, which lie in separate files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from judge_lightning.decoding.trace import CycleParts, Trace
from judge_lightning.generations import Generation, Timing, read_generations, read_timings
from judge_lightning.runs.files import reading


@dataclass(frozen=True)
class DecodedAnswer:
    """One decoder's answer to one prompt.

    Attributes:
        prompt_id: Of the run's ``prompts``.
        family: The prompt's.
        decoder: Who answered.
        text: The answer.
        token_ids: Its tokens, with the EOS token when ``finished``.
        right: Whether the prompt's checker accepts it.
        trace: Every cycle, with seconds where they were measured; None where a cycle is a token.
        timing: Wall-clock seconds; None where nobody measured them.
        generation: The record as it lies in the file.
    """

    generation: Generation
    trace: Trace | None
    timing: Timing | None

    @property
    def prompt_id(self) -> str:
        return self.generation.prompt_id

    @property
    def family(self) -> str:
        return self.generation.family

    @property
    def decoder(self) -> str:
        return self.generation.decoder

    @property
    def text(self) -> str:
        return self.generation.text

    @property
    def token_ids(self) -> list[int]:
        return self.generation.token_ids

    @property
    def finished(self) -> bool:
        return self.generation.finished

    @property
    def right(self) -> bool:
        return self.generation.right

    @property
    def cycles(self) -> int:
        """Forward passes of the target over a block; without a draft, one a token."""
        return len(self.token_ids) if self.trace is None else len(self.trace.cycles)


def read_answers(folder: Path, decoder: str) -> Iterator[DecodedAnswer]:
    """Reads one decoder's answers from a folder of generations, in the order of the prompts.

    Raises:
        UserError: A file holds something else.
    """
    with reading(folder):
        timings = {row.prompt_id: row for row in read_timings(folder) if row.decoder == decoder}
        for generation in read_generations(folder, decoder):
            timing = timings.get(generation.prompt_id)
            yield DecodedAnswer(generation, _trace(generation, timing), timing)


def _trace(generation: Generation, timing: Timing | None) -> Trace | None:
    if generation.trace is None:
        return None
    trace = Trace.from_json(generation.trace)
    if timing is not None and len(timing.cycle_seconds) == len(trace.cycles):
        for cycle, seconds in zip(trace.cycles, timing.cycle_seconds, strict=True):
            cycle.seconds = seconds
        parts = zip(timing.draft_seconds, timing.verify_seconds, timing.judge_seconds, strict=True)
        for cycle, spent in zip(trace.cycles, parts, strict=False):
            cycle.parts = CycleParts(*spent)
    return trace
