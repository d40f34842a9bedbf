"""The 8B -> 70B stand-in on one GPU with 139 GiB: tokens/s, bytes per cycle, memory.

    python -m benchmarks.gpu_decode --judge FOLDER
    python -m benchmarks.gpu_decode --device cpu --tiny --judge FOLDER    # to see that it works

The target alone, the standard rule and the judge decode greedily at the stand-in's own
acceptance, and again with replayed accept lengths whose mean is the paper's (6.3 and 19.7). In
bfloat16 all 80 layers do not fit beside the draft, so fewer are built, and the result says so.
References: 141 tokens/s (the paper's 8B/70B, two H100, gpt-fast) and 182 tokens/s (TensorRT-LLM,
Llama-3.3-70B FP8 with a 1B draft, one H200).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from benchmarks.measuring import interleaved, note, parser_for, print_table, run_script, save, start
from benchmarks.memory import peak_bytes, reset_peak
from benchmarks.subjects import (
    Replayed,
    held_out_prompts,
    lengths_with_mean,
    load_judge,
    pair_config,
    prompt_ids,
)
from judge_lightning import AutoregressiveDecoder, JudgeHead, SpeculativeDecoder
from judge_lightning.decoding.engine import ENGINES, make_engine
from judge_lightning.decoding.trace import Cycle
from judge_lightning.errors import UserError
from judge_lightning.models.hidden_states import decoder_blocks
from judge_lightning.models.pair import Pair
from judge_lightning.verifiers import Exact, Judge
from pipelines.config import RunConfig
from pipelines.pair import pair_loader
from pipelines.stand_in import describe_stand_in

REFERENCES = {"paper, 8B -> 70B, two H100": 141.0, "TensorRT-LLM, 1B -> 70B FP8, one H200": 182.0}
PAPER_ACCEPTED = {"exact": 6.3, "judge": 19.7}
WEIGHTS = {"bf16": None, "int8": "int8"}
FITTING_LAYERS = {"bf16": 68, "int8": 80}
"""Of the target's 80, beside the 8B draft in bfloat16, with room for caches on 139 GiB."""
TINY = [
    f"pair.{role}.grow.{name}={value}"
    for role, layers, width in (("target", 8, 256), ("draft", 2, 64))
    for name, value in (
        ("hidden_size", width),
        ("intermediate_size", 3 * width),
        ("num_hidden_layers", layers),
        ("num_attention_heads", width // 32),
        ("num_key_value_heads", width // 32),
        ("head_dim", 32),
        ("vocab_size", 1024),
        ("tie_word_embeddings", "true"),
    )
]


@dataclass(frozen=True)
class Row:
    """One decoder's speed. Bytes are what the models' passes of a cycle must read.

    ``share_of_bandwidth`` is those bytes over the time of a cycle, over the bandwidth measured
    in the same run; the first cycle of every answer, which reads the prompt, is left out of
    both. ``estimate_at_full_depth`` scales the time with the bytes where layers were cut.
    """

    weights: str
    engine: str
    decoder: str
    acceptance: str
    draft_length: int
    accepted_per_cycle: float
    tokens_per_second: float
    milliseconds_per_cycle: float
    gigabytes_per_cycle: float
    share_of_bandwidth: float
    estimate_at_full_depth: float | None


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints a table and writes JSON."""
    parser = parser_for(__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="tiny shapes instead of 8B and 70B")
    parser.add_argument("--weights", nargs="+", default=list(WEIGHTS), choices=list(WEIGHTS))
    parser.add_argument("--engines", nargs="+", default=list(ENGINES), choices=ENGINES)
    parser.add_argument("--target-layers", type=int, help="builds fewer of the target's layers")
    parser.add_argument("--judge", type=Path, help="a judge's folder; else the newest trained one")
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"))
    parser.add_argument("--exact-draft-length", type=int, default=10)
    parser.add_argument("--judge-draft-length", type=int, default=25)
    parser.add_argument("--prompts", type=int, default=3)
    parser.add_argument("--new-tokens", type=int, default=200, help="per prompt; nothing ends it")
    given = start(parser, arguments)
    if given.quick:
        given.prompts, given.new_tokens = 1, 60
    # It says for every layer of every pass that bfloat16 becomes float16 on the way.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    device = _device(given.device)
    bandwidth = memory_bandwidth(device, size=2**24 if given.tiny else 2**31)
    note(f"memory bandwidth, measured: {bandwidth / 1e9:,.0f} GB/s")
    lengths = {"exact": given.exact_draft_length, "judge": given.judge_draft_length}
    rows: list[Row] = []
    runs: list[dict[str, Any]] = []
    for weights in given.weights:
        config = _config(given, weights)
        reset_peak(device)  # What the last pair left behind is freed first.
        pair = pair_loader(config)()
        head = load_judge(config, given.judge, given.artifacts)
        prompts = [
            prompt_ids(pair.tokenizer, prompt, pair.target.device)
            for prompt in held_out_prompts(given.prompts)
        ]
        meter = Meter(weights, config, pair, prompts, given.new_tokens, bandwidth)
        skipped = {}
        for name in given.engines:
            try:
                rows.extend(meter.rows(name, head, lengths))
            except UserError as error:
                skipped[name] = str(error)
                note(f"{weights}, {name}: left out ({error})")
        runs.append(
            {
                "weights": weights,
                "stand_in": describe_stand_in(config.pair),
                "parameters": {
                    role: model.num_parameters()
                    for role, model in (("target", pair.target), ("draft", pair.draft))
                },
                "peak_bytes": peak_bytes(device),
                "skipped": skipped,
            }
        )
        del pair, head, meter
    _print("tiny shapes" if given.tiny else "the 8B -> 70B stand-in", rows, runs)
    result = {
        "device": str(device),
        "tiny": given.tiny,
        "bandwidth": bandwidth,
        "references": REFERENCES,
        "runs": runs,
        "rows": [asdict(row) for row in rows],
    }
    save("gpu_decode", result, given.out)


def memory_bandwidth(device: torch.device, size: int) -> float:
    """Bytes per second that the device reads and writes, the better of a sum and a copy."""
    source = torch.ones(size, dtype=torch.uint8, device=device).view(torch.float32)
    copy = torch.empty_like(source)
    passes: dict[str, Callable[[], Any]] = {
        "sum": source.sum,
        "copy": lambda: copy.copy_(source),
    }
    seconds = interleaved(passes, 10, device)
    return max(size / seconds["sum"], 2 * size / seconds["copy"])


def bytes_read(model: PreTrainedModel, context: float) -> float:
    """What one pass must read: all weights but the embeddings' other rows, and the cache."""
    config = model.config.get_text_config(decoder=True)
    tensors = {id(t): t for t in (*model.parameters(), *model.buffers())}
    if not config.tie_word_embeddings:
        tensors.pop(id(model.get_input_embeddings().weight), None)
    cache = 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim
    weights = sum(t.numel() * t.element_size() for t in tensors.values())
    return weights + cache * model.dtype.itemsize * context


def full_depth(config: RunConfig, target: PreTrainedModel, moved: float) -> float:
    """How many times ``moved`` bytes it would be with all layers of the shape built; 1: they are.

    The added layers' share of the cache is left out.
    """
    blocks = decoder_blocks(target)
    layers = getattr(config.pair.target.grow, "num_hidden_layers", None) or len(blocks)
    built = sum(p.numel() * p.element_size() for block in blocks for p in block.parameters())
    return 1 + built * (layers / len(blocks) - 1) / moved


@dataclass(frozen=True)
class Meter:
    """Measures decoders on prompts of one pair; ``bandwidth`` is bytes per second."""

    weights: str
    config: RunConfig
    pair: Pair
    prompts: list[Tensor]
    new_tokens: int
    bandwidth: float

    def rows(self, engine: str, head: JudgeHead, lengths: dict[str, int]) -> Iterator[Row]:
        """The target alone, then both rules at their own and at the paper's acceptance."""
        runner = make_engine(engine)
        runner.reserve(max(ids.shape[1] for ids in self.prompts) + self.new_tokens)
        target, draft = self.pair.target, self.pair.draft
        todo: list[tuple[str, str, int, Any]] = []
        for rule, verifier in (("exact", Exact()), ("judge", Judge(head))):
            replayed = Replayed(verifier, lengths_with_mean(PAPER_ACCEPTED[rule]))
            for acceptance, chosen in (("own", verifier), ("paper's", replayed)):
                decoder = SpeculativeDecoder(target, draft, chosen, lengths[rule], runner)
                todo.append((rule, acceptance, lengths[rule], decoder))
        # The judge's layer becomes part of the target's graph: the decoders are made first.
        todo.insert(0, ("plain", "", 0, AutoregressiveDecoder(target, runner)))
        for rule, acceptance, length, decoder in todo:
            yield self._row(engine, rule, acceptance, length, self._cycles(decoder, length))

    def _cycles(self, decoder: Any, length: int) -> list[Cycle]:
        """Whole blocks behind the first one of every answer; the first prompt warms up."""
        traces = [
            decoder.generate(ids, self.new_tokens, eos_token_id=()).trace
            for ids in [self.prompts[0], *self.prompts]
        ]
        cycles = [cycle for trace in traces[1:] for cycle in trace.cycles[1:]]
        whole = [cycle for cycle in cycles if len(cycle.proposed) == length]
        if not whole:
            problem = f"{self.new_tokens} leave no room for a second block of {length}"
            raise UserError("--new-tokens", problem, "give more")
        return whole

    def _row(
        self, engine: str, rule: str, acceptance: str, length: int, cycles: list[Cycle]
    ) -> Row:
        target, draft = self.pair.target, self.pair.draft
        context = sum(ids.shape[1] for ids in self.prompts) / len(self.prompts)
        context += self.new_tokens / 2
        moved = length * bytes_read(draft, context) + bytes_read(target, context)
        deeper = full_depth(self.config, target, moved)
        seconds = median(cycle.seconds for cycle in cycles)
        speed = sum(len(c.tokens) for c in cycles) / sum(c.seconds for c in cycles)
        return Row(
            weights=self.weights,
            engine=engine,
            decoder=rule,
            acceptance=acceptance,
            draft_length=length,
            accepted_per_cycle=sum(cycle.accepted for cycle in cycles) / len(cycles),
            tokens_per_second=speed,
            milliseconds_per_cycle=1000 * seconds,
            gigabytes_per_cycle=moved / 1e9,
            share_of_bandwidth=moved / seconds / self.bandwidth,
            estimate_at_full_depth=speed / deeper if deeper > 1 else None,
        )


def _config(given: Any, weights: str) -> RunConfig:
    tiny = TINY if given.tiny else []
    layers = given.target_layers or (None if given.tiny else FITTING_LAYERS[weights])
    quantization = WEIGHTS[weights]
    return pair_config(
        "standin_8b_70b",
        [
            *tiny,
            f"engine.device={given.device}",
            "pair.target.device_map=null",
            "pair.draft.device_map=null",
            *([f"pair.target.quantization={quantization}"] if quantization else []),
            *([f"pair.target.grow.built_layers={layers}"] if layers else []),
        ],
    )


def _device(name: str) -> torch.device:
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UserError("--device", "there is no GPU here", "give --device cpu --tiny for a trial")
    return torch.device(name)


def _print(title: str, rows: Sequence[Row], runs: Sequence[dict[str, Any]]) -> None:
    columns = "weights, engine, decoder|M|accepted|tokens/s|ms a cycle|GB a cycle|of bandwidth"
    print_table(
        f"{title}, batch 1, greedy",
        [*columns.split("|"), "tokens/s, all layers"],
        [
            (
                f"{row.weights} {row.engine} {row.decoder} {row.acceptance}",
                str(row.draft_length),
                f"{row.accepted_per_cycle:.2f}",
                f"{row.tokens_per_second:.1f}",
                f"{row.milliseconds_per_cycle:.2f}",
                f"{row.gigabytes_per_cycle:.3g}",
                f"{row.share_of_bandwidth:.0%}",
                "" if row.estimate_at_full_depth is None else f"~{row.estimate_at_full_depth:.1f}",
            )
            for row in rows
        ],
    )
    for run in runs:
        peak = "unknown" if run["peak_bytes"] is None else f"{run['peak_bytes'] / 2**30:.1f} GiB"
        note(f"{run['weights']}: {run['stand_in']}; peak memory {peak}")
    note("; ".join(f"{name}: {speed:.0f} tokens/s" for name, speed in REFERENCES.items()))


if __name__ == "__main__":
    run_script(main)
