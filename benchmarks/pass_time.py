"""Holds derived times of passes against measured ones: ``python -m benchmarks.pass_time``.

The same formulas as in ``python -m pipelines.scaling``, with this device's own bandwidth and rate
of operations, both measured in the same run, on a random Llama that no cache can hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM, PreTrainedModel

from benchmarks.measuring import interleaved, note, parser_for, print_table, run_script, save, start
from judge_lightning.models.pass_time import Engine, Hardware, pass_time
from judge_lightning.models.size import measure_size

CONTEXT = 128
LARGE = {"hidden_size": 1024, "intermediate_size": 2816, "num_hidden_layers": 16}
TINY = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints a table and writes JSON."""
    parser = parser_for(__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--tokens", type=int, nargs="+", default=[1, 5, 21, 256])
    given = start(parser, arguments)
    rounds = 1 if given.quick else given.rounds
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    shape = {
        **(TINY if given.quick else LARGE), "model_type": "llama", "vocab_size": 8192,
        "num_attention_heads": 16, "num_key_value_heads": 4,
    }  # fmt: skip
    size = measure_size("org/random", shape, dtype="float32")
    note(f"{size.parameters / 1e6:.0f} M parameters, {size.weights / 1e6:.0f} MB in float32")
    model = build(shape, device)
    hardware, seconds = measure(model, given.tokens, rounds, 2**20 if given.quick else 2**28)
    note(f"bandwidth {hardware.bandwidth / 1e9:.1f} GB/s, {hardware.flops / 1e9:.1f} GFLOP/s")
    engine = Engine(hardware, 1, split=False)
    rows = [
        (count, 1000 * took, 1000 * pass_time(size, engine, tokens=count, context=CONTEXT).seconds)
        for count, took in seconds.items()
    ]
    print_table(
        "a pass, milliseconds",
        ["tokens", "measured", "derived bound", "bound / measured"],
        [[f"{t}", f"{m:.1f}", f"{d:.1f}", f"{d / m:.2f}"] for t, m, d in rows],
    )
    result = {"bandwidth": hardware.bandwidth, "flops": hardware.flops, "milliseconds": rows}
    save("pass_time", result, given.out)


def measure(
    model: PreTrainedModel, tokens: Sequence[int], rounds: int, size: int
) -> tuple[Hardware, dict[int, float]]:
    """The device and seconds of each pass. All take turns, so that a busy machine slows all alike.

    Args:
        size: Bytes that are summed to measure the bandwidth.
    """
    numbers = torch.ones(size // 4, device=model.device)
    matrix = torch.randn(1024, 1024, device=model.device)
    passes: dict[str, Callable[[], Any]] = {
        "sum": numbers.sum,
        "product": lambda: matrix @ matrix,
        **{str(count): _pass(model, count) for count in tokens},
    }
    seconds = interleaved(passes, rounds, model.device)
    hardware = Hardware(
        model.device.type, 0, size / seconds["sum"], 2 * 1024**3 / seconds["product"], "measured"
    )
    return hardware, {count: seconds[str(count)] for count in tokens}


def build(shape: dict[str, Any], device: torch.device) -> PreTrainedModel:
    """A random model of that shape."""
    config = LlamaConfig(**{name: value for name, value in shape.items() if name != "model_type"})
    return LlamaForCausalLM(config).eval().to(device)


def _pass(model: PreTrainedModel, tokens: int) -> Callable[[], None]:
    cache = DynamicCache(config=model.config)
    with torch.inference_mode():
        model(torch.ones(1, CONTEXT, dtype=torch.long, device=model.device), past_key_values=cache)
    ids = torch.ones(1, tokens, dtype=torch.long, device=model.device)
    return partial(_one_pass, model, cache, ids)


@torch.inference_mode()
def _one_pass(model: PreTrainedModel, cache: DynamicCache, ids: torch.Tensor) -> None:
    model(ids, past_key_values=cache)
    cache.crop(-ids.shape[1])


if __name__ == "__main__":
    run_script(main)
