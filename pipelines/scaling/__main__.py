"""Derives what a run would take on GPUs: ``python -m pipelines.scaling +exp=405b_judge --gpus 8``.

Nothing is loaded or run. Every number stands beside its derivation: bytes of weights over
bandwidth, or operations over the multipliers' rate, the longer of the two. ``--price`` (of one GPU
for an hour) adds the cost.
"""

from __future__ import annotations

import argparse
import sys

from hydra import compose, initialize_config_dir
from rich.console import Console
from rich.table import Table

from judge_lightning.errors import UserError
from judge_lightning.models.machine import GIB
from judge_lightning.models.pass_time import HARDWARE, Engine
from pipelines.composition import CONF, as_user_error, typed_config
from pipelines.config import RunConfig, register_schemas
from pipelines.fitting import fit_of
from pipelines.plan_view import print_memory
from pipelines.scaling.decoding import ASSUMED, decoder_rates
from pipelines.scaling.published import published_rates, published_share
from pipelines.scaling.stages import Lengths, Need, needs_of
from pipelines.terminal import open_console
from pipelines.workloads import LOADING_STAGES, run_machine, size_of


def main(arguments: list[str] | None = None) -> int:
    """Prints the tables; returns the exit status, 2 for a wrong command."""
    options = _parser().parse_args(arguments)
    console = open_console(elsewhere=150)
    try:
        if options.published:
            print_published(console)
            return 0
        config = _config([*options.overrides, f"launch.machine={_machine(options)}"])
        engine = _engine(options)
        lengths = Lengths(options.prompt_tokens, options.answer_tokens)
        _print_assumptions(console, config, engine, lengths)
        if not _fits(console, config):
            console.print("no times: it does not fit")
            return 1
        _print_rates(console, config, engine, lengths)
        _print_needs(console, list(needs_of(config, engine, lengths)), engine, options.price)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _print_assumptions(
    console: Console, config: RunConfig, engine: Engine, lengths: Lengths
) -> None:
    how = "every block over all of them" if engine.split else "whole blocks, one GPU after another"
    lines = [
        f"[bold]{config.exp}[/], {config.pair.name} on {engine.count} x {engine.hardware.name}"
        f" ({how}): all of it is derived, nothing measured but where it says so",
        f"bandwidth and operations: {engine.hardware.source}",
        f"expected: {engine.share:.2f} of the bound; unless --share says so, what gpt-fast reaches"
        " with 405B in 8 bits on 8 A100 (15.6 tokens/s)",
        *(f"assumed: {one.rule} keeps {one.kept} a cycle ({one.source})" for one in ASSUMED),
        f"assumed: prompts of {lengths.prompt} and answers of {lengths.answer} tokens",
    ]
    for line in lines:
        console.print(line, soft_wrap=True)


def print_published(console: Console) -> None:
    """What others have measured beside the bound of the formulas."""
    rows = published_rates()
    share = published_share()
    table = Table("published", "tokens/s", "bound", "published / bound", f"expected at {share:.2f}")
    for row in rows:
        expected = f"{row.expected(share):,.0f}"
        table.add_row(
            row.what, f"{row.published:g}", f"{row.derived:,.0f}", f"{row.share:.2f}", expected
        )
    console.print(table)


def _fits(console: Console, config: RunConfig) -> bool:
    print_memory(console, config, LOADING_STAGES)
    fit = fit_of(config, LOADING_STAGES, run_machine(config))
    return fit is None or fit.fits


def _print_rates(console: Console, config: RunConfig, engine: Engine, lengths: Lengths) -> None:
    length = config.engine.draft_length
    rates = decoder_rates(
        size_of(config.pair.target),
        size_of(config.pair.draft),
        engine,
        draft_length=length if isinstance(length, int) else config.engine.longest_draft,
        context=lengths.prompt + lengths.answer // 2,
    )
    table = Table("decoder", "bound, tokens/s", "expected", "speed-up", "a cycle")
    for rate in rates.values():
        table.add_row(
            rate.decoder,
            f"{rate.tokens_per_second / engine.share:,.1f}",
            f"{rate.tokens_per_second:,.1f}",
            f"{rate.tokens_per_second / rates['target'].tokens_per_second:.2f}",
            rate.derivation,
        )
    console.print(table)


def _print_needs(console: Console, needs: list[Need], engine: Engine, price: float | None) -> None:
    table = Table("stage", "what", "expected", "derivation")
    for need in needs:
        place = "" if need.on_gpu else " (CPU)"
        table.add_row(need.stage + place, need.what, in_time(need.seconds), need.derivation)
    console.print(table)
    on_gpu = sum(need.seconds for need in needs if need.on_gpu)
    hours = engine.count * on_gpu / 3600
    console.print(
        f"{in_time(on_gpu)} on {engine.count} GPUs, {hours:,.1f} GPU hours; at the bound itself"
        f" {in_time(on_gpu * engine.share)}",
        soft_wrap=True,
    )
    if price is not None:
        console.print(f"cost: {hours:,.1f} GPU hours x {price:g} = {hours * price:,.0f}")
    on_cpu = sum(need.seconds for need in needs if not need.on_gpu)
    console.print(f"{in_time(on_cpu)} on the CPU, for which no GPU need be held")


def in_time(seconds: float) -> str:
    """Seconds for people: three digits, in seconds, minutes or hours."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def _config(overrides: list[str]) -> RunConfig:
    register_schemas()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return typed_config(compose("config", overrides))
    except Exception as error:
        if (known := as_user_error(error)) is None:
            raise
        raise known from error


def _machine(options: argparse.Namespace) -> str:
    memory = HARDWARE[options.hardware].memory / GIB
    return f"'{options.gpus} x {memory:.4g} GiB'"


def _engine(options: argparse.Namespace) -> Engine:
    if options.gpus < 1:
        raise UserError("--gpus", f"is {options.gpus}", "give 1 or more")
    share = published_share() if options.share is None else options.share
    if not 0 < share <= 1:
        raise UserError("--share", f"is {share}", "give more than 0, 1 at most")
    return Engine(HARDWARE[options.hardware], options.gpus, options.split, share)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipelines.scaling", description=__doc__)
    parser.add_argument("overrides", nargs="*", help="+exp=NAME, and any field=value of a run")
    parser.add_argument("--hardware", default="h100", choices=HARDWARE, help="the kind of GPU")
    parser.add_argument("--gpus", type=int, default=8, help="how many")
    parser.add_argument(
        "--split", action="store_true", help="tensor parallel, not block after block"
    )
    parser.add_argument("--share", type=float, help="of the bound that is reached; 1: the bound")
    parser.add_argument("--prompt-tokens", type=int, default=200, help="of a prompt, on average")
    parser.add_argument("--answer-tokens", type=int, default=200, help="of an answer, on average")
    parser.add_argument("--price", type=float, help="of one GPU for an hour, in your currency")
    parser.add_argument("--published", action="store_true", help="only: what others have measured")
    return parser


if __name__ == "__main__":
    sys.exit(main())
