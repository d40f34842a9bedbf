"""Batched drafting against ``generate`` one by one: ``python -m benchmarks.drafting --clock cpu``.

A court needs thousands of answers, and nobody waits for any single one, so they are written in
batches of prompts of like length. Both ways write the same answers to the same held-out word
problems, greedily, with each model of the pair; they take turns, so that what the machine does
meanwhile falls on both.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

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
    synchronise,
)
from benchmarks.subjects import held_out_prompts, pair_config, prompt_ids
from judge_lightning.court.drafters import Drafter, LocalAuthor
from judge_lightning.court.records import Prompt
from pipelines.pair import pair_loader

GOAL = 5.0
"""Times as many tokens a second as one by one."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints a table and writes JSON."""
    parser = parser_for(__doc__)
    add_clock(parser)
    parser.add_argument("--pair", default="micro")
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--max-new-tokens", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    given = start(parser, arguments)
    if given.quick:
        given.prompts, given.rounds, given.max_new_tokens = 4, 1, 16
    pair = pair_loader(pair_config(given.pair))()
    prompts = held_out_prompts(given.prompts)
    rows = []
    for role, model in (("draft", pair.draft), ("target", pair.target)):
        row = compare(
            model,
            pair.tokenizer,
            prompts,
            batch_size=given.batch_size,
            max_new_tokens=given.max_new_tokens,
            rounds=given.rounds,
            clock=CLOCKS[given.clock],
        )
        rows.append({"model": role, **row})
    result = {
        "pair": given.pair,
        "prompts": given.prompts,
        "batch_size": given.batch_size,
        "clock": given.clock,
        "goal": GOAL,
        "results": rows,
        "reached": all(row["ratio"] >= GOAL for row in rows),
    }
    _print(result)
    save("drafting", result, given.out)


def compare(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Prompt],
    *,
    batch_size: int,
    max_new_tokens: int,
    rounds: int,
    clock: Clock,
) -> dict[str, Any]:
    """Tokens a second of both ways (the median round), and how many answers are the same."""
    author = LocalAuthor(
        model, tokenizer, Drafter("draft"), max_new_tokens=max_new_tokens, batch_size=batch_size
    )
    # The first passes set up kernels and memory pools.
    author.write(prompts[:2])
    one_by_one(model, tokenizer, prompts[:2], max_new_tokens)
    rates: dict[str, list[float]] = {"one_by_one": [], "batched": []}
    single: list[list[int]] = []
    together: list[list[int]] = []
    for _ in range(rounds):
        synchronise(model.device)
        began = clock()
        single = one_by_one(model, tokenizer, prompts, max_new_tokens)
        synchronise(model.device)
        between = clock()
        together = [draft.token_ids for draft in author.write(prompts).written]
        synchronise(model.device)
        ended = clock()
        rates["one_by_one"].append(sum(map(len, single)) / (between - began))
        rates["batched"].append(sum(map(len, together)) / (ended - between))
    slow, fast = median(rates["one_by_one"]), median(rates["batched"])
    return {
        "one_by_one": slow,
        "batched": fast,
        "ratio": fast / slow,
        "tokens": sum(map(len, together)),
        "same_answers": sum(map(list.__eq__, single, together)),
    }


@torch.inference_mode()
def one_by_one(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Prompt],
    max_new_tokens: int,
) -> list[list[int]]:
    """transformers' own generation, a prompt at a time."""
    written = []
    for prompt in prompts:
        ids = prompt_ids(tokenizer, prompt, model.device)
        output: Any = model.generate(  # type: ignore[operator]
            ids, max_new_tokens=max_new_tokens, do_sample=False, pad_token_id=0
        )
        written.append(output[0, ids.shape[1] :].tolist())
    return written


def _print(result: dict[str, Any]) -> None:
    rows = [
        (
            row["model"],
            f"{row['one_by_one']:.0f}",
            f"{row['batched']:.0f}",
            f"{row['ratio']:.1f}",
            f"{row['same_answers']} of {result['prompts']}",
        )
        for row in result["results"]
    ]
    title = f"{result['pair']}: {result['prompts']} answers, batches of {result['batch_size']}"
    columns = ["model", "one by one, tokens/s", "batched, tokens/s", "ratio", "same answers"]
    print_table(title, columns, rows)
    word = "reached" if result["reached"] else "missed"
    note(f"the goal of {GOAL:g} times as many tokens a second is {word}")


if __name__ == "__main__":
    run_script(main)
