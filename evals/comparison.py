"""Lets every decoder answer every prompt, whoever carries it out."""

from __future__ import annotations

import hashlib
import heapq
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from evals.agreement import check_agreement
from evals.cycle_time import BOUND_PROMPTS, measure_bounds
from evals.decoders import NO_RULES, Rules, build_decoder, is_speculative, watch_shift
from evals.generations import Bound, Generation, ShardFiles, Timing, text_of
from evals.speed import spread_evenly
from judge_lightning.court.records import Prompt
from judge_lightning.crew import Crew

if TYPE_CHECKING:
    from judge_lightning.decoding.draft_length import DraftLength
    from judge_lightning.decoding.trace import Trace
    from judge_lightning.heads import JudgeHead
    from judge_lightning.models.pair import Pair

WARM_UP_TOKENS = 8
SIZING_PROMPTS = 16
"""How many of the longest texts are rendered to find the longest prompt."""


@dataclass(frozen=True)
class Comparison:
    """What is decoded and how; picklable, so that a process can start from it.

    Attributes:
        load_pair: Loads the models; called once in every process.
        load_head: Loads the judge's head, at the threshold it shall decide with.
        decoders: Names out of ``evals.decoders.DECODERS`` and ``rules``.
        temperature: 0 is greedy; then ``exact`` is checked against ``target``.
        seed: Of sampling; every prompt and decoder draws from its own stream.
        threads: Torch threads of each process on the CPU; None leaves torch's setting.
        engine: ``eager`` or ``compiled``.
        rules: Acceptance rules of more decoders, by name.
        turns: Answers of a conversation, each of which stands in the next one's prompt.
    """

    load_pair: Callable[[], Pair]
    load_head: Callable[[], JudgeHead] | None
    decoders: tuple[str, ...]
    draft_length: int | DraftLength
    max_new_tokens: int
    temperature: float = 0.0
    seed: int = 0
    threads: int | None = None
    engine: str = "eager"
    rules: Rules = field(default_factory=lambda: NO_RULES)
    turns: int = 1


class Portion(Protocol):
    """A shard of prompts (``judge_lightning.crew.Shard``)."""

    @property
    def name(self) -> str:
        """What it is called where something is said about it."""

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """What is asked, for the length of caches."""

    def complete(self, decoders: Sequence[str]) -> bool:
        """Whether all of it is written."""

    def do(self, bench: Bench) -> Iterator[None]:
        """Decodes and writes it; yields after each of its prompts."""


@dataclass(frozen=True)
class Shard:
    """A run of prompts, each of which is answered by itself."""

    files: ShardFiles
    prompts: tuple[Prompt, ...]

    @property
    def name(self) -> str:
        """``prompts-<number>``."""
        return f"prompts-{self.files.number:05d}"

    def complete(self, decoders: Sequence[str]) -> bool:
        """Whether all of it is written."""
        return self.files.complete(decoders)

    def do(self, bench: Bench) -> Iterator[None]:
        """Decodes and writes it; yields after each prompt."""
        return bench.decode_shard(self)


def plan_shards(prompts: Sequence[Prompt], folder: Path, size: int) -> list[Shard]:
    """Cuts prompts into shards of ``size``, numbered from 0."""
    starts = range(0, len(prompts), size)
    return [
        Shard(ShardFiles(folder, number), tuple(prompts[start : start + size]))
        for number, start in enumerate(starts)
    ]


def run_comparison(comparison: Comparison, shards: Sequence[Portion], crew: Crew) -> Iterator[None]:
    """Decodes the portions that are not complete yet; yields after each prompt.

    Args:
        comparison: What to decode.
        shards: From ``plan_shards``, or other portions.
        crew: Who decodes them, each of it with a bench of its own.

    Raises:
        DisagreementError: Standard speculative decoding is not what the target alone writes.
    """
    missing = [shard for shard in shards if not shard.complete(comparison.decoders)]
    if not missing:
        return iter(())
    # Of all shards: a resumed run makes its caches as long as an undisturbed one, and so rounds
    # as it does.
    return crew.carry_out(partial(Bench, comparison, _longest(shards)), missing)


class Bench:
    """The loaded models and the decoders over them.

    ``longest`` are the longest prompts to come; static caches are made for them at once.
    """

    def __init__(self, comparison: Comparison, longest: Sequence[Prompt] = ()) -> None:
        import torch

        from judge_lightning.decoding.engine import make_engine

        if comparison.threads is not None:
            torch.set_num_threads(comparison.threads)
        self.comparison = comparison
        self.pair = comparison.load_pair()
        head = comparison.load_head() if comparison.load_head else None
        self.engine = make_engine(comparison.engine)
        self.decoders = {
            name: build_decoder(
                name, self.pair, head, comparison.draft_length, self.engine, rules=comparison.rules
            )
            for name in comparison.decoders
        }
        if head is not None:
            watch_shift(self.decoders.values(), head)
        self._longest = longest
        self._warm = False
        self._compile_seconds = 0.0

    def decode_shard(self, shard: Shard) -> Iterator[None]:
        """Decodes and writes one shard; yields after each prompt."""
        generations: list[Generation] = []
        timings: list[Timing] = []
        bounds: list[Bound] = []
        bounded = spread_evenly(shard.prompts, BOUND_PROMPTS)
        for number, prompt in enumerate(shard.prompts):
            answers = self.decode_prompt(prompt, first=number)
            generations += [generation for generation, _ in answers]
            timings += [timing for _, timing in answers]
            if prompt in bounded:
                bounds += self._bounds(prompt, answers[0][0])
            yield
        shard.files.write(self.comparison.decoders, generations, timings, bounds)

    def _bounds(self, prompt: Prompt, answer: Generation) -> list[Bound]:
        """What a cycle's forward passes take by themselves, between two prompts."""
        from judge_lightning.court.prompting import render_prompt

        return measure_bounds(
            self.decoders.values(),
            self.comparison.engine,
            prompt.id,
            render_prompt(self.pair.tokenizer, prompt.text),
            answer.token_ids,
            longest_answer=self.comparison.max_new_tokens,
        )

    def decode_prompt(self, prompt: Prompt, first: int = 0) -> list[tuple[Generation, Timing]]:
        """One generation by each decoder, one after the other.

        They take turns in going ``first``, so that what a machine does between two prompts
        falls on all of them alike.
        """
        from judge_lightning.court.prompting import render_prompt

        ids = render_prompt(self.pair.tokenizer, prompt.text)
        self.warm_up(ids)
        names = self.comparison.decoders
        start = first % len(names)
        pairs = {name: self._decode(name, prompt, ids) for name in names[start:] + names[:start]}
        if self.comparison.temperature == 0 and {"target", "exact"} <= pairs.keys():
            alone, exact = pairs["target"][0].token_ids, pairs["exact"][0].token_ids
            check_agreement(self.pair.target, prompt.id, ids, alone, exact)
        return [pairs[name] for name in names]

    def _decode(self, name: str, prompt: Prompt, ids: list[int]) -> tuple[Generation, Timing]:
        from judge_lightning.court.checkers import check

        new_ids, trace, timing = self.generate(name, ids, prompt.id)
        text = text_of(self.pair.tokenizer, new_ids)
        generation = Generation(
            prompt_id=prompt.id,
            family=prompt.family,
            decoder=name,
            text=text,
            token_ids=new_ids,
            finished=self.is_finished(new_ids),
            right=check(prompt, text),
            trace=trace.to_json() if is_speculative(name) else None,
            # Engines add in different orders: to no more digits than they share.
            shift=None if trace.shift is None else round(trace.shift.prompts, 4),
            draft_shift=None if trace.shift is None else round(trace.shift.drafts, 4),
        )
        return generation, timing

    def is_finished(self, new_ids: Sequence[int]) -> bool:
        """Whether an answer ends by itself, not at the limit."""
        from judge_lightning.decoding.request import stop_tokens

        return bool(new_ids) and new_ids[-1] in stop_tokens(self.pair.target, None)

    def generate(
        self, name: str, ids: list[int], stream: str, temperature: float | None = None
    ) -> tuple[list[int], Trace, Timing]:
        """One answer of one decoder: its new tokens, its cycles, and how long it took.

        Args:
            stream: What the answer is called; the random numbers follow from it and the seed.
            temperature: None: the comparison's.

        Raises:
            UserError: The prompt alone fills the model's positions.
        """
        compiled_before = self.engine.compile_seconds
        started = time.perf_counter()
        new_ids, trace = self._generate(
            name, ids, self.comparison.max_new_tokens, stream, temperature
        )
        # A prompt longer than all before it may need new graphs.
        seconds = time.perf_counter() - started - (self.engine.compile_seconds - compiled_before)
        compiling = self.engine.compile_seconds - self._compile_seconds
        self._compile_seconds = self.engine.compile_seconds
        parts = [cycle.parts for cycle in trace.cycles if cycle.parts is not None]
        timing = Timing(
            stream,
            name,
            seconds,
            len(new_ids),
            [round(cycle.seconds, 6) for cycle in trace.cycles],
            round(compiling, 3),
            self.comparison.engine,
            [round(part.draft, 6) for part in parts],
            [round(part.verify, 6) for part in parts],
            [round(part.judge, 6) for part in parts],
        )
        return new_ids, trace, timing

    def _generate(
        self,
        name: str,
        ids: list[int],
        max_new_tokens: int,
        stream: str,
        temperature: float | None = None,
    ) -> tuple[list[int], Trace]:
        import torch

        temperature = self.comparison.temperature if temperature is None else temperature
        device = self.pair.target.device
        generator = None
        if temperature > 0:
            generator = torch.Generator(device=device)
            generator.manual_seed(stream_seed(self.comparison.seed, name, stream))
        output = self.decoders[name].generate(
            torch.tensor([ids], device=device),
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            generator=generator,
        )
        return output.sequences[0, len(ids) :].tolist(), output.trace

    def warm_up(self, ids: list[int]) -> None:
        """The first passes set up kernels, graphs and memory pools, outside of any timing."""
        from judge_lightning.court.prompting import render_prompt

        if not self._warm:
            lengths = [len(render_prompt(self.pair.tokenizer, p.text)) for p in self._longest]
            answers = self.comparison.turns * self.comparison.max_new_tokens
            self.engine.reserve(max([len(ids), *lengths]) + answers)
            for name in self.decoders:
                self._generate(name, ids, WARM_UP_TOKENS, "warm-up")
            self._warm = True


def stream_seed(seed: int, decoder: str, prompt_id: str) -> int:
    """A seed that neither the number of workers nor the order of prompts changes."""
    digest = hashlib.sha256(f"{seed}/{decoder}/{prompt_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def _longest(shards: Sequence[Portion]) -> list[Prompt]:
    prompts = (prompt for shard in shards for prompt in shard.prompts)
    return heapq.nlargest(SIZING_PROMPTS, prompts, key=lambda prompt: len(prompt.text))
