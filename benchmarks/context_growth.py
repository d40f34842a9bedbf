"""How time and memory grow with the context, the draft length and the size of the target.

    python -m benchmarks.context_growth

Small Llamas with random weights decode behind random prompts. Of a block each token is kept
with the probability ``--kept`` (a replayed, even accept length), so that the figures are those
of a pair that agrees this often, at any draft length. Prints tables, writes JSON and a picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.growth_picture import draw_picture
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
from benchmarks.memory import peak_bytes, reset_peak
from benchmarks.stamps import StampedEngine
from benchmarks.subjects import Replayed, lengths_with_mean
from judge_lightning import AutoregressiveDecoder, SpeculativeDecoder
from judge_lightning.decoding.compiled import CompiledEngine
from judge_lightning.decoding.compiler import compiler_problem
from judge_lightning.decoding.engine import Engine, make_engine
from judge_lightning.verifiers import Exact

VOCABULARY = 1024
SIZES = ((64, 2), (128, 4), (256, 8), (384, 12), (512, 16))
"""Width and layers of the targets; the second is that of the other sweeps."""
DRAFT = (64, 2)


@dataclass(frozen=True)
class Point:
    """One place of a sweep. Times are medians in milliseconds; memory is in MiB.

    ``peak`` is how far the process's resident memory rose above what it was before the sweep,
    the reading of the prompt included.
    """

    context: int
    draft_length: int
    parameters: int
    engine: str
    tokens_per_cycle: float
    milliseconds_per_token_alone: float
    milliseconds_per_token: float
    milliseconds_per_cycle: float
    cache: float
    peak: float | None


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints tables, writes JSON and draws."""
    parser = parser_for(__doc__)
    add_clock(parser)
    parser.add_argument("--contexts", type=int, nargs="+", default=[512, 1024, 2048, 4096, 8192])
    parser.add_argument("--draft-lengths", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--draft-length", type=int, default=16, help="in the other sweeps")
    parser.add_argument("--cycles", type=int, default=12, help="cycles per point")
    parser.add_argument("--kept", type=float, default=0.9, help="chance that a token is kept")
    parser.add_argument("--sizes", type=int, default=len(SIZES), help="how many targets")
    parser.add_argument("--eager-only", action="store_true", help="leave the compiled engine out")
    given = start(parser, arguments)
    if given.quick:
        given.contexts, given.draft_lengths, given.draft_length = [16, 32], [1, 2], 2
        given.cycles, given.sizes, given.eager_only = 2, 2, True
    sweeps = measure(given)
    for name, points in sweeps.items():
        _print(name, points)
    result = {
        "clock": given.clock,
        "kept": given.kept,
        "draft": _shape(DRAFT),
        "sweeps": {name: [asdict(point) for point in points] for name, points in sweeps.items()},
    }
    path = save("context_growth", result, given.out)
    picture = path.with_suffix(".svg")
    picture.write_text(draw_picture(result["sweeps"]), encoding="utf-8")
    note(f"drawn in {picture}")


def measure(given: Any) -> dict[str, list[Point]]:
    """All sweeps, each from its cheapest point upwards, so that peaks are those of the point."""
    longest_block = max(given.draft_length, *given.draft_lengths) + 1
    longest = max(given.contexts) + (given.cycles + 1) * longest_block
    models = [random_llama(size, longest) for size in SIZES[: given.sizes]]
    usual = models[1]
    meter = Meter(
        random_llama(DRAFT, longest, seed=1),
        given.cycles,
        given.kept,
        CLOCKS[given.clock],
        _resident(),
    )
    eager: Engine = make_engine("eager")
    engines = {"eager": eager}
    if not given.eager_only and compiler_problem() is None:
        engines["compiled"] = CompiledEngine(longest)
    contexts, length = sorted(given.contexts), given.draft_length
    return {
        "context": [
            meter.point(usual, context, length, engine)
            for engine in engines.values()
            for context in contexts
        ],
        "draft_length": [
            meter.point(usual, contexts[0], other, eager) for other in sorted(given.draft_lengths)
        ],
        "model_size": [meter.point(model, contexts[0], length, eager) for model in models],
    }


def random_llama(size: tuple[int, int], positions: int, seed: int = 0) -> LlamaForCausalLM:
    """A Llama of this width and number of layers, heads of 32, two queries a key."""
    width, layers = size
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        num_key_value_heads=width // 64,
        max_position_embeddings=positions,
        eos_token_id=None,
    )
    return LlamaForCausalLM(config).eval()


def accepted_on_average(kept: float, draft_length: int) -> float:
    """Tokens kept of a block when each is kept with the same probability (2211.17192, eq. 1)."""
    return sum(kept**i for i in range(1, draft_length + 1))


@dataclass(frozen=True)
class Meter:
    """Measures points; ``base`` is the resident memory before the first of them, in bytes."""

    draft: LlamaForCausalLM
    cycles: int
    kept: float
    clock: Clock
    base: int | None

    def point(
        self, target: LlamaForCausalLM, context: int, draft_length: int, engine: Engine
    ) -> Point:
        """Decodes behind a random prompt, with the draft and then alone."""
        lengths = lengths_with_mean(accepted_on_average(self.kept, draft_length), self.cycles)
        rule = Replayed(Exact(), lengths)
        stamped: Any = StampedEngine(engine, self.clock)
        decoder = SpeculativeDecoder(target, self.draft, rule, draft_length, stamped)
        alone = AutoregressiveDecoder(target, stamped)
        prompt = torch.randint(VOCABULARY, (1, context), generator=torch.manual_seed(context))
        # The last blocks, for which there may be no whole room, come behind what is measured.
        tokens = sum(lengths) + self.cycles + draft_length + 1
        reset_peak(target.device)
        trace = decoder.generate(prompt, tokens, eos_token_id=()).trace
        peak = peak_bytes(target.device)
        cycle = 1000 * median(stamped.seconds)
        alone.generate(prompt, self.cycles + 3, eos_token_id=())
        tokens_per_cycle = 1 + sum(lengths) / len(lengths)
        slots = context + len(trace.tokens)
        if isinstance(engine, CompiledEngine):
            slots = max(model.length for model in engine._models.values())
        return Point(
            context=context,
            draft_length=draft_length,
            parameters=target.num_parameters(),
            engine="compiled" if isinstance(engine, CompiledEngine) else "eager",
            tokens_per_cycle=tokens_per_cycle,
            milliseconds_per_token_alone=1000 * median(stamped.seconds),
            milliseconds_per_token=cycle / tokens_per_cycle,
            milliseconds_per_cycle=cycle,
            cache=sum(_cache_bytes(model, slots) for model in (target, self.draft)) / 2**20,
            peak=None if peak is None or self.base is None else (peak - self.base) / 2**20,
        )


def _cache_bytes(model: LlamaForCausalLM, slots: int) -> int:
    config: Any = model.config
    heads: int = config.num_key_value_heads * config.head_dim
    return int(2 * config.num_hidden_layers * heads * slots * model.dtype.itemsize)


def _resident() -> int | None:
    device = torch.device("cpu")
    reset_peak(device)
    return peak_bytes(device)


def _shape(size: tuple[int, int]) -> dict[str, int]:
    return {"hidden_size": size[0], "num_hidden_layers": size[1]}


def _print(name: str, points: Sequence[Point]) -> None:
    print_table(
        f"against the {name.replace('_', ' ')}",
        ["engine", "context", "M", "parameters", "alone", "speculative", "cycle", "cache", "peak"],
        [
            (
                point.engine,
                f"{point.context:,}",
                str(point.draft_length),
                f"{point.parameters:,}",
                f"{point.milliseconds_per_token_alone:.2f} ms/token",
                f"{point.milliseconds_per_token:.2f} ms/token",
                f"{point.milliseconds_per_cycle:.1f} ms",
                f"{point.cache:.1f} MiB",
                "" if point.peak is None else f"{point.peak:.0f} MiB",
            )
            for point in points
        ],
    )


if __name__ == "__main__":
    run_script(main)
