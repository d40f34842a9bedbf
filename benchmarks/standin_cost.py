"""What a pair's forward passes cost: ``python -m benchmarks.standin_cost --pair standin_cpu``.

Speculative decoding lives on two ratios: a target pass to a draft pass, and a target pass over
a whole block to one over a single token. Both are measured here behind a prompt, batch 1, the
models taking turns, so that what the machine does meanwhile falls on all of them alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from transformers import DynamicCache, PreTrainedModel

from benchmarks.measuring import (
    CLOCKS,
    Clock,
    add_clock,
    interleaved,
    note,
    parser_for,
    print_table,
    run_script,
    save,
    start,
)
from benchmarks.subjects import pair_config
from judge_lightning.models.pair import Pair
from pipelines.pair import pair_loader
from pipelines.stand_in import describe_stand_in

PROMPT_TOKENS = 128
HIGHEST_ID = 900


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints a table and writes JSON."""
    parser = parser_for(__doc__)
    add_clock(parser)
    parser.add_argument("--pair", default="standin_cpu")
    parser.add_argument("--draft-length", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("overrides", nargs="*", help="pair.target.grow.built_layers=16 ...")
    given = start(parser, arguments)
    config = pair_config(given.pair, given.overrides)
    rounds = 2 if given.quick else given.rounds
    clock = CLOCKS[given.clock]
    costs = pass_costs(pair_loader(config)(), given.draft_length + 1, rounds, clock)
    result = {
        "pair": given.pair,
        "stand_in": describe_stand_in(config.pair) or None,
        "draft_length": given.draft_length,
        "clock": given.clock,
        "milliseconds": costs,
        "target_over_draft": costs["target, 1 token"] / costs["draft, 1 token"],
        "block_over_token": costs["target, block"] / costs["target, 1 token"],
    }
    _print(result, costs)
    save("standin_cost", result, given.out)


def pass_costs(pair: Pair, block: int, rounds: int, clock: Clock) -> dict[str, float]:
    """Median milliseconds of a draft pass, a target pass and a target pass over a block."""
    passes = {
        "draft, 1 token": _pass(pair.draft, 1),
        "target, 1 token": _pass(pair.target, 1),
        "target, block": _pass(pair.target, block),
    }
    seconds = interleaved(passes, rounds, pair.target.device, clock)
    return {name: 1000 * value for name, value in seconds.items()}


def _pass(model: PreTrainedModel, tokens: int) -> Callable[[], None]:
    return partial(_one_pass, model, _prefilled(model), _ids(model, tokens))


@torch.inference_mode()
def _prefilled(model: PreTrainedModel) -> DynamicCache:
    cache = DynamicCache(config=model.config)
    model(_ids(model, PROMPT_TOKENS), past_key_values=cache)
    return cache


@torch.inference_mode()
def _one_pass(model: PreTrainedModel, cache: DynamicCache, ids: torch.Tensor) -> None:
    model(ids, past_key_values=cache)
    cache.crop(-ids.shape[1])


def _ids(model: PreTrainedModel, count: int) -> torch.Tensor:
    return torch.randint(HIGHEST_ID, (1, count), device=model.device)


def _print(result: dict[str, Any], costs: dict[str, float]) -> None:
    rows = [(name, f"{value:.2f}") for name, value in costs.items()]
    print_table(f"{result['pair']}, batch 1", ["forward pass", "milliseconds"], rows)
    if result["stand_in"]:
        note(f"a stand-in: {result['stand_in']}")
    note(f"a target pass costs {result['target_over_draft']:.1f} draft passes")
    note(f"a pass over a block costs {result['block_over_token']:.2f} passes over a token")


if __name__ == "__main__":
    run_script(main)
