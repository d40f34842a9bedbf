"""How close a decoder's cycle comes to its bare forward passes, on the CPU.

The bare cost of a cycle is M draft forwards and one target forward over M + 1 tokens. It is
measured in front of every cycle of a real decoding, on the same caches at the same length, so
that both see the same machine: ``python -m benchmarks.cycle_bound``. An eager cycle is compared
with transformers' own forwards, a compiled one with the compiled graphs. With ``--clock cpu`` the
process's own CPU time is read, on one thread: on a machine that others use, too, it leaves out
the time that they took.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from statistics import median, quantiles
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from benchmarks.measuring import (
    CLOCKS,
    Clock,
    add_clock,
    note,
    parser_for,
    print_table,
    run_script,
    save,
    start,
)
from benchmarks.subjects import held_out_prompts, idle_head, pair_config, prompt_ids
from judge_lightning import SpeculativeDecoder
from judge_lightning.decoding.bare import BarePasses, bare_passes
from judge_lightning.decoding.compiled import CompiledEngine
from judge_lightning.decoding.cycle_clock import MARKS, CycleClock
from judge_lightning.decoding.draft_length import Pace
from judge_lightning.decoding.eager import EagerEngine
from judge_lightning.decoding.engine import ENGINES, Roles
from judge_lightning.decoding.request import Request
from judge_lightning.decoding.trace import Cycle
from judge_lightning.errors import UserError
from judge_lightning.models.pair import Pair
from judge_lightning.verifiers import Exact, Judge, Verifier
from pipelines.pair import pair_loader

GOALS = {"eager": 0.97, "compiled": 0.93}


@dataclass(slots=True)
class CycleCost:
    """Seconds of one cycle: bare passes, the same inside the decoder, and the whole of it."""

    proposed: int
    bare_draft: float
    bare_target: float
    started: float
    propose: float = 0.0
    verify: float = 0.0
    wall: float = 0.0

    @property
    def bare(self) -> float:
        return self.bare_draft + self.bare_target


@dataclass(frozen=True)
class Efficiency:
    """Medians over the cycles, in milliseconds. ``rest`` is what no forward pass is part of:
    verdict, bookkeeping, cropping. The quartiles are those of each cycle's own ratio."""

    pair: str
    engine: str
    verifier: str
    cycles: int
    bare_draft: float
    bare_target: float
    propose: float
    verify: float
    rest: float
    wall: float
    efficiency: float
    quartiles: tuple[float, float]
    goal: float
    compile_seconds: float

    @property
    def reached(self) -> bool:
        return self.efficiency >= self.goal


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints a table and writes JSON."""
    parser = parser_for(__doc__)
    add_clock(parser)
    parser.add_argument("--pairs", nargs="+", default=["micro", "standin_cpu"])
    parser.add_argument("--engines", nargs="+", default=list(ENGINES), choices=ENGINES)
    parser.add_argument("--draft-length", type=int, default=20)
    parser.add_argument("--prompts", type=int, default=4)
    parser.add_argument("--new-tokens", type=int, default=100, help="per prompt")
    given = start(parser, arguments)
    if given.quick:
        given.prompts, given.new_tokens, given.draft_length = 1, 24, 4
    rows = [row for pair in given.pairs for row in measure(pair, given)]
    _print(rows, given.clock)
    marks = marking_seconds(CLOCKS[given.clock])
    shortest = min(row.wall for row in rows) / 1000
    share = f"{marks / shortest:.3%} of the shortest cycle"
    note(f"telling a cycle's parts takes the decoder {1e6 * marks:.1f} us, {share}")
    result = {
        "draft_length": given.draft_length,
        "clock": given.clock,
        "marking_seconds": marks,
        "results": [{**asdict(row), "reached": row.reached} for row in rows],
    }
    save("cycle_bound", result, given.out)


def measure(name: str, given: Any) -> list[Efficiency]:
    """Decodes the same prompts with every engine and rule, in turns, probing every cycle.

    The judge is untrained and overrules nothing, so both rules go through the same blocks.
    """
    engines, draft_length, new_tokens = given.engines, given.draft_length, given.new_tokens
    pair: Pair = pair_loader(pair_config(name))()
    rules: dict[str, Verifier] = {"exact": Exact(), "judge": Judge(idle_head(pair.target))}
    probed = {engine: ProbedEngine(engine, CLOCKS[given.clock]) for engine in engines}
    decoders = {
        (engine, rule): SpeculativeDecoder(
            pair.target, pair.draft, verifier, draft_length, probed[engine]
        )
        for engine in engines
        for rule, verifier in rules.items()
    }
    costs: dict[tuple[str, str], list[CycleCost]] = {key: [] for key in decoders}
    prompts = held_out_prompts(given.prompts)
    texts = [prompt_ids(pair.tokenizer, prompt, pair.target.device) for prompt in prompts]
    for engine in probed.values():
        engine.reserve(max(ids.shape[1] for ids in texts) + new_tokens)
    for number, ids in enumerate([texts[0], *texts]):
        for (engine_name, rule), decoder in decoders.items():
            engine = probed[engine_name]
            engine.costs.clear()
            decoder.generate(ids, new_tokens, eos_token_id=())
            if number:  # The first prompt is decoded once more, to warm up.
                # The first cycle reads the prompt, and what ends the last one is not seen.
                whole = [c for c in engine.costs[1:-1] if c.proposed == draft_length and c.bare]
                costs[engine_name, rule].extend(whole)
    return [
        _efficiency(name, engine, rule, values, probed[engine].compile_seconds)
        for (engine, rule), values in costs.items()
    ]


def marking_seconds(clock: Clock, cycles: int = 2000) -> float:
    """What a decoder's own marks cost it in a cycle: setting four and sharing them out."""
    marked = [Cycle([], 0, [], None, 0) for _ in range(cycles)]
    marks = CycleClock(torch.device("cpu"))
    started = clock()
    for _ in marked:
        for _ in range(MARKS):
            marks.mark()
    marks.share_out(marked)
    return (clock() - started) / cycles


class ProbedEngine:
    """An engine in front of whose cycles the bare passes are timed; ``costs`` has a row each."""

    def __init__(self, name: str, clock: Clock = perf_counter) -> None:
        self.clock = clock
        self._engine: Any = CompiledEngine() if name == "compiled" else EagerEngine()
        self.costs: list[CycleCost] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    @contextmanager
    def speculate(self, roles: Roles, request: Request) -> Iterator[ProbedSpeculation]:
        """The engine's own answer, probed."""
        with self._engine.speculate(roles, request) as speculation:
            yield ProbedSpeculation(speculation, roles, self)


class ProbedSpeculation:
    """``Speculation`` that times the bare passes before, and its own two parts in each cycle."""

    def __init__(self, inner: Any, roles: Roles, engine: ProbedEngine) -> None:
        self._inner = inner
        self._roles = roles
        self._costs = engine.costs
        self._clock = engine.clock
        self.tokens: Tensor = inner.tokens
        self.draft_states = inner.draft_states
        self.forget_after = inner.forget_after

    def propose(self, n: int, pace: Pace | None = None) -> tuple[int, Tensor | None]:
        """Ends the last cycle's time; probes, save in the first, which reads the prompt."""
        clock = self._clock
        if self._costs:
            self._costs[-1].wall = clock() - self._costs[-1].started
        bare = BarePasses(0.0, 0.0)
        if self._costs and n + self._roles.draft_length < self.tokens.shape[1]:
            bare = bare_passes(self._inner, self._roles, n, clock)
        started = clock()
        m, q = self._inner.propose(n, pace)
        cost = CycleCost(m, bare.draft, bare.target, started=started, propose=clock() - started)
        self._costs.append(cost)
        return m, q

    def verify(self, n: int, m: int) -> tuple[Tensor, Tensor | None]:
        """Timed."""
        started = self._clock()
        logits, states = self._inner.verify(n, m)
        self._costs[-1].verify = self._clock() - started
        return logits, states


def _efficiency(
    pair: str, engine: str, verifier: str, costs: Sequence[CycleCost], compile_seconds: float
) -> Efficiency:
    if not costs:
        raise UserError("--new-tokens", "leave no room for a second block", "give more")
    ratios = [cost.bare / cost.wall for cost in costs]
    low, _, high = quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    wall = median(cost.wall for cost in costs)

    def milliseconds(name: str) -> float:
        return 1000 * median(getattr(cost, name) for cost in costs)

    return Efficiency(
        pair=pair,
        engine=engine,
        verifier=verifier,
        cycles=len(costs),
        bare_draft=milliseconds("bare_draft"),
        bare_target=milliseconds("bare_target"),
        propose=milliseconds("propose"),
        verify=milliseconds("verify"),
        rest=1000 * median(cost.wall - cost.propose - cost.verify for cost in costs),
        wall=1000 * wall,
        efficiency=median(cost.bare for cost in costs) / wall,
        quartiles=(low, high),
        goal=GOALS[engine],
        compile_seconds=compile_seconds,
    )


def _print(rows: Sequence[Efficiency], clock: str) -> None:
    columns = "pair, engine, rule|cycles|draft|propose|target|verify|rest|cycle|efficiency|goal"
    print_table(
        f"a cycle beside its bare forward passes (draft, target), milliseconds of {clock} time",
        columns.split("|"),
        [
            (
                f"{row.pair} {row.engine} {row.verifier}",
                str(row.cycles),
                *(
                    f"{value:.2f}"
                    for value in (
                        row.bare_draft,
                        row.propose,
                        row.bare_target,
                        row.verify,
                        row.rest,
                        row.wall,
                    )
                ),
                f"{row.efficiency:.3f}",
                f"{row.goal}{'' if row.reached else ' missed'}",
            )
            for row in rows
        ],
    )
    spreads = ", ".join(f"{row.quartiles[0]:.2f} to {row.quartiles[1]:.2f}" for row in rows)
    note(f"half of all cycles had an efficiency of, row by row: {spreads}")


if __name__ == "__main__":
    run_script(main)
