"""Blocks that end by themselves beside blocks of a fixed length: ``draft_length=auto``.

Every decoder answers the same prompts, in turns: ``python -m benchmarks.adaptive_length``. A fixed
length is at its best for one pair, rule and engine; ``auto`` is to be no more than 5 % slower than
whichever of them is the fastest, on every line. What a draft token costs is measured first, for
each engine on its own passes, and given to ``auto`` as the fixed number that it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import linear_regression, median
from typing import Any

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
from benchmarks.stamps import StampedEngine
from benchmarks.subjects import held_out_prompts, load_judge, pair_config, prompt_ids
from judge_lightning import SpeculativeDecoder
from judge_lightning.decoding.draft_length import AUTO, Adaptive, DraftLength, Fixed
from judge_lightning.decoding.engine import ENGINES, Engine, make_engine
from judge_lightning.errors import UserError
from judge_lightning.models.pair import Pair
from judge_lightning.verifiers import Exact, Judge, Verifier
from pipelines.pair import pair_loader
from pipelines.stand_in import describe_stand_in

GOAL = 0.95
LENGTHS = (2, 4, 6, 8, 12, 16, 20, 24, 32)
PROBES, PROBE_TOKENS = 4, 100
"""Answers from which the cost of a draft token is read, and the tokens of each."""


@dataclass(slots=True)
class Line:
    """One decoder's answers to all prompts. ``seconds`` are the clock's, prompts included."""

    pair: str
    engine: str
    rule: str
    length: str
    tokens: int = 0
    seconds: float = 0.0
    cycles: int = 0
    proposed: int = 0
    accepted: int = 0

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / self.seconds


@dataclass(frozen=True, slots=True)
class Comparison:
    """``auto`` beside the fastest fixed length of the same pair, engine and rule."""

    pair: str
    engine: str
    rule: str
    best_length: str
    ratio: float

    @property
    def reached(self) -> bool:
        return self.ratio >= GOAL


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints a table and writes JSON."""
    parser = parser_for(__doc__)
    add_clock(parser)
    parser.add_argument("--pairs", nargs="+", default=["micro"])
    parser.add_argument("--engines", nargs="+", default=list(ENGINES), choices=ENGINES)
    parser.add_argument("--lengths", nargs="+", type=int, default=list(LENGTHS))
    parser.add_argument("--draft-cost", type=float, help="give it instead of measuring it")
    parser.add_argument("--judge", type=Path, help="a judge's folder; else the newest trained one")
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"))
    parser.add_argument("--prompts", type=int, default=20)
    parser.add_argument("--new-tokens", type=int, default=200, help="at most, per prompt")
    given = start(parser, arguments)
    if given.quick:
        given.prompts, given.new_tokens, given.lengths = 1, 12, [2, 4]
    lines: list[Line] = []
    costs: dict[str, float] = {}
    stand_ins: dict[str, str | None] = {}
    for name in given.pairs:
        config = pair_config(name)
        stand_ins[name] = describe_stand_in(config.pair) or None
        head = load_judge(config, given.judge, given.artifacts)
        pair = pair_loader(config)()
        rules: dict[str, Verifier] = {"exact": Exact(), "judge": Judge(head)}
        for engine in given.engines:
            cost, measured = measure(name, pair, rules, engine, given)
            costs[f"{name} {engine}"] = cost
            lines += measured
    comparisons = compare(lines)
    _print(lines, comparisons, costs, stand_ins, given.clock)
    result = {
        "clock": given.clock,
        "prompts": given.prompts,
        "stand_ins": stand_ins,
        "draft_costs": costs,
        "lines": [{**asdict(line), "tokens_per_second": line.tokens_per_second} for line in lines],
        "comparisons": [{**asdict(row), "reached": row.reached} for row in comparisons],
        "goal": GOAL,
    }
    save("adaptive_length", result, given.out)


def measure(
    name: str, pair: Pair, rules: Mapping[str, Verifier], engine_name: str, given: Any
) -> tuple[float, list[Line]]:
    """Lets every length and ``auto`` answer every prompt; who goes first changes with the prompt.

    Returns the cost of a draft token too, as ``auto`` was told.
    """
    clock = CLOCKS[given.clock]
    questions = held_out_prompts(given.prompts)
    texts = [prompt_ids(pair.tokenizer, each, pair.target.device) for each in questions]
    engine = make_engine(engine_name)
    engine.reserve(max(ids.shape[1] for ids in texts) + given.new_tokens)
    fixed = {str(length): Fixed(length) for length in given.lengths}
    decoders = decoders_of(pair, rules, fixed, engine)
    cost = given.draft_cost or draft_cost(pair, engine, given.lengths, texts[:PROBES], clock)
    decoders |= decoders_of(pair, rules, {AUTO: Adaptive(draft_cost=cost)}, engine)
    for decoder in decoders.values():  # Makes the graphs, outside of all times.
        decoder.generate(texts[0], given.new_tokens)
    lines = {key: Line(name, engine_name, *key) for key in decoders}
    keys = list(decoders)
    for number, ids in enumerate(texts):
        first = number % len(keys)
        for key in keys[first:] + keys[:first]:
            started = clock()
            output = decoders[key].generate(ids, given.new_tokens)
            line = lines[key]
            line.seconds += clock() - started
            line.tokens += len(output.trace.tokens)
            line.cycles += len(output.trace.cycles)
            line.proposed += sum(len(cycle.proposed) for cycle in output.trace.cycles)
            line.accepted += sum(cycle.accepted for cycle in output.trace.cycles)
    return cost, list(lines.values())


def decoders_of(
    pair: Pair,
    rules: Mapping[str, Verifier],
    lengths: Mapping[str, DraftLength],
    engine: Engine,
) -> dict[tuple[str, str], SpeculativeDecoder]:
    """One for every rule and length."""
    return {
        (rule, name): SpeculativeDecoder(pair.target, pair.draft, verifier, length, engine)
        for rule, verifier in rules.items()
        for name, length in lengths.items()
    }


def draft_cost(
    pair: Pair, engine: Engine, lengths: Sequence[int], texts: Sequence[Tensor], clock: Clock
) -> float:
    """What one more proposed token costs, in units of a cycle that would propose none.

    A straight line through the median times of whole cycles of each length: so all that a token
    costs is in it, drafting it, having the target read it, and what lies between.
    """
    stamped: Any = StampedEngine(engine, clock)
    seconds: dict[int, list[float]] = {length: [] for length in lengths}
    decoders = {
        length: SpeculativeDecoder(pair.target, pair.draft, Exact(), length, stamped)
        for length in lengths
    }
    for ids in [texts[0], *texts]:
        for length, decoder in decoders.items():
            output = decoder.generate(ids, PROBE_TOKENS, ())
            blocks = [len(cycle.proposed) for cycle in output.trace.cycles[1:]]
            rows = zip(blocks, stamped.seconds, strict=False)
            seconds[length] += [each for proposed, each in rows if proposed == length]
    known = {length: median(each) for length, each in seconds.items() if each}
    if len(known) < 2:
        raise UserError("--lengths", "leave no two lengths to tell costs from", "give others")
    line = linear_regression(list(known), list(known.values()))
    return max(line.slope, 0.001 * line.intercept) / line.intercept


def compare(lines: Sequence[Line]) -> list[Comparison]:
    """``auto`` against the fastest fixed length, for each pair, engine and rule."""
    groups: dict[tuple[str, str, str], list[Line]] = {}
    for line in lines:
        groups.setdefault((line.pair, line.engine, line.rule), []).append(line)
    comparisons: list[Comparison] = []
    for key, group in groups.items():
        auto = next(line for line in group if line.length == AUTO)
        fixed = (line for line in group if line.length != AUTO)
        best = max(fixed, key=lambda line: line.tokens_per_second)
        ratio = auto.tokens_per_second / best.tokens_per_second
        comparisons.append(Comparison(*key, best.length, ratio))
    return comparisons


def _print(
    lines: Sequence[Line],
    comparisons: Sequence[Comparison],
    costs: Mapping[str, float],
    stand_ins: Mapping[str, str | None],
    clock: str,
) -> None:
    best = {
        (row.pair, row.engine, row.rule): next(
            line.tokens_per_second
            for line in lines
            if (line.pair, line.engine, line.rule, line.length)
            == (row.pair, row.engine, row.rule, row.best_length)
        )
        for row in comparisons
    }
    print_table(
        f"speed over that of the best fixed length, by {clock} time",
        ["pair, engine, rule, length", "tokens/s", "proposed", "accepted", "over best fixed"],
        [
            (
                f"{line.pair} {line.engine} {line.rule} {line.length}",
                f"{line.tokens_per_second:.0f}",
                f"{line.proposed / line.cycles:.2f}",
                f"{line.accepted / line.cycles:.2f}",
                f"{line.tokens_per_second / best[line.pair, line.engine, line.rule]:.3f}",
            )
            for line in lines
        ],
    )
    for row in comparisons:
        verdict = "reached" if row.reached else "missed"
        note(
            f"{row.pair} {row.engine} {row.rule}: auto runs at {row.ratio:.3f} of the speed of"
            f" {row.best_length}, the best fixed length (goal {GOAL}, {verdict})"
        )
    for name, cost in costs.items():
        note(f"{name}: one more proposed token costs {cost:.3f} target passes")
    for name, what in stand_ins.items():
        if what:
            note(f"{name} is a stand-in: {what}")


if __name__ == "__main__":
    run_script(main)
