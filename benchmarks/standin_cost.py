"""What a pair's forward passes cost: ``python -m benchmarks.standin_cost --pair standin_cpu``.

Speculative decoding lives on two ratios: a target pass to a draft pass, and a target pass over
a whole block to one over a single token. Both are measured here behind a prompt, batch 1, the
models taking turns, so that what the machine does meanwhile falls on all of them alike.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from rich.console import Console
from rich.table import Table
from transformers import DynamicCache, PreTrainedModel

from pipelines.composition import CONF, typed_config
from pipelines.config import RunConfig, register_schemas
from pipelines.pair import pair_loader
from pipelines.stand_in import check_stand_ins, describe_stand_in

PROMPT_TOKENS = 128
HIGHEST_ID = 900


def main() -> None:
    """Measures, prints a table and, where asked, writes JSON."""
    parser = argparse.ArgumentParser(description="cost of a pair's forward passes")
    parser.add_argument("--pair", default="standin_cpu")
    parser.add_argument("--draft-length", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("overrides", nargs="*", help="pair.target.grow.built_layers=16 ...")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    config = _config(arguments.pair, arguments.overrides)
    costs = measure(config, arguments.draft_length + 1, arguments.rounds)
    result = {
        "pair": arguments.pair,
        "stand_in": describe_stand_in(config.pair) or None,
        "draft_length": arguments.draft_length,
        "threads": arguments.threads,
        "milliseconds": costs,
        "target_over_draft": costs["target, 1 token"] / costs["draft, 1 token"],
        "block_over_token": costs["target, block"] / costs["target, 1 token"],
    }
    _print(result, costs)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def measure(config: RunConfig, block: int, rounds: int) -> dict[str, float]:
    """Median milliseconds of a draft pass, a target pass and a target pass over a block."""
    pair = pair_loader(config)()
    passes = {
        "draft, 1 token": (pair.draft, 1),
        "target, 1 token": (pair.target, 1),
        "target, block": (pair.target, block),
    }
    caches = {name: _prefilled(model) for name, (model, _) in passes.items()}
    seconds: dict[str, list[float]] = {name: [] for name in passes}
    for _ in range(rounds + 3):
        for name, (model, tokens) in passes.items():
            seconds[name].append(_one_pass(model, caches[name], tokens))
    return {name: 1000 * statistics.median(values[3:]) for name, values in seconds.items()}


@torch.inference_mode()
def _prefilled(model: PreTrainedModel) -> DynamicCache:
    cache = DynamicCache(config=model.config)
    model(_ids(model, PROMPT_TOKENS), past_key_values=cache)
    return cache


@torch.inference_mode()
def _one_pass(model: PreTrainedModel, cache: DynamicCache, tokens: int) -> float:
    ids = _ids(model, tokens)
    _synchronise(model)
    started = time.perf_counter()
    model(ids, past_key_values=cache)
    _synchronise(model)
    seconds = time.perf_counter() - started
    cache.crop(-tokens)
    return seconds


def _ids(model: PreTrainedModel, count: int) -> torch.Tensor:
    return torch.randint(HIGHEST_ID, (1, count), device=model.device)


def _synchronise(model: PreTrainedModel) -> None:
    if model.device.type == "cuda":
        torch.cuda.synchronize()


def _config(pair: str, overrides: list[str]) -> RunConfig:
    register_schemas()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = typed_config(compose("config", ["+exp=quickstart", f"pair={pair}", *overrides]))
    check_stand_ins(config.pair)
    return config


def _print(result: dict[str, object], costs: dict[str, float]) -> None:
    table = Table("forward pass", "milliseconds", title=f"{result['pair']}, batch 1")
    for name, value in costs.items():
        table.add_row(name, f"{value:.2f}")
    console = Console(highlight=False)
    console.print(table)
    if result["stand_in"]:
        console.print(f"a stand-in: {result['stand_in']}")
    console.print(f"a target pass costs {result['target_over_draft']:.1f} draft passes")
    console.print(f"a pass over a block costs {result['block_over_token']:.2f} passes over a token")


if __name__ == "__main__":
    main()
