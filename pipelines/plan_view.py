"""What ``dry_run=true`` prints: the stages with their keys, and what the models weigh."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from pipelines.config import RunConfig
from pipelines.fitting import fit_of, in_gib, try_changes
from pipelines.plan import SHORT_KEY, Plan, PlannedStage
from pipelines.preflight import ModelSizes, disk_needs, model_sizes
from pipelines.sizes import in_bytes
from pipelines.stand_in import describe_stand_in, timed_run
from pipelines.store import State
from pipelines.terminal import open_console
from pipelines.workloads import LOADING_STAGES, run_machine

if TYPE_CHECKING:
    from judge_lightning.models.memory_plan import MemoryPlan

_WORTH_SAYING = 2**30
"""Bytes in the host's memory from which on they are named."""


def print_plan(plan: Plan, config: RunConfig) -> None:
    """Prints the plan to stdout. Loads no model and sends no request."""
    console = open_console(elsewhere=120)
    pair = f" on pair [bold]{config.pair.name}[/]" if config.pipeline != "pretrain" else ""
    console.print(f"[bold]{config.exp}[/]{pair}: the plan; nothing is run")
    console.print(stage_table(plan))
    console.print(f"{len(plan.to_run)} of {len(plan.selected)} stages would run")
    if stand_in := describe_stand_in(config.pair) if config.pipeline != "pretrain" else "":
        console.print(f"a stand-in: {stand_in}", soft_wrap=True)
    timed = timed_run(config)
    if timed is not None:
        console.print(
            f"speed from a stand-in, {timed.pair.name}, on at most {config.speed.prompts} prompts:"
            f" {describe_stand_in(timed.pair)}",
            soft_wrap=True,
        )
    sizes = model_sizes(config.pair) if config.pipeline != "pretrain" else {}
    if sizes:
        worn = model_sizes(timed.pair) if timed is not None else {}
        console.print(model_table(sizes | {f"{role} (speed)": size for role, size in worn.items()}))
        total = in_bytes(sum(size.weights for _, size in sizes.values()))
        console.print(f"{total} of weights in memory for both models")
    for need in disk_needs(config, plan, sizes):
        console.print(need.describe(), soft_wrap=True)
    if sizes:
        print_memory(console, config, [p.name for p in plan.to_run] or list(LOADING_STAGES))


def print_memory(console: Console, config: RunConfig, stages: Collection[str]) -> None:
    """The memory of each device in the stage that needs most, a verdict, and a remedy."""
    machine = run_machine(config)
    fit = fit_of(config, stages, machine)
    if fit is None:
        return
    console.print(
        f"Memory on {machine.describe()}, reckoned for prompts of {config.launch.prompt_tokens}"
        f" tokens; most is needed in {fit.tightest.workload}:",
        soft_wrap=True,
    )
    console.print(memory_table(fit.tightest))
    for plan in fit.plans:
        if plan.host >= _WORTH_SAYING:
            console.print(
                f"{plan.workload} gathers {in_gib(plan.host)} in the host's memory besides"
            )
    verdict = "fits" if fit.fits else "[bold]DOES NOT FIT[/]"
    console.print(f"{config.pair.name} {verdict}: {fit.describe()}", soft_wrap=True)
    if fit.fits:
        return
    # Of changes of one kind, only the last one tried: the others went less far.
    tried = {change.reason: (change, then) for change, then in try_changes(config, stages, machine)}
    for change, then in tried.values():
        verdict = "[bold]fits[/]" if then.fits else "does not fit"
        console.print(f"  {change.describe()}: {verdict}, {then.describe()}", soft_wrap=True)


def stage_table(plan: Plan) -> Table:
    """One row a stage in running order."""
    table = Table("stage", "key", "what", "reads", title_justify="left")
    for planned in plan.stages:
        table.add_row(
            planned.name, planned.key[:SHORT_KEY], _intention(planned), ", ".join(planned.inputs)
        )
    return table


def memory_table(plan: MemoryPlan) -> Table:
    """One row a device: what it holds in one stage."""
    columns = ("weights", "caches", "activations", "embeddings", "reserve", "sum", "free")
    table = Table("device")
    for column in columns:
        table.add_column(column, justify="right")
    for device in plan.devices:
        numbers = (
            device.weights, device.caches, device.activations, device.embeddings, device.reserve,
            device.needed, device.free,
        )  # fmt: skip
        table.add_row(device.name, *map(in_gib, numbers))
    return table


def _intention(planned: PlannedStage) -> str:
    if planned.state.finished:
        return planned.state.value
    if not planned.selected:
        return "not selected, not cached"
    return {
        State.PARTIAL: "would go on where it was stopped",
        State.DAMAGED: f"would run again: {planned.problem}",
    }.get(planned.state, "would run")


def model_table(sizes: ModelSizes) -> Table:
    """One row a model: what it is, what it weighs in memory, what has to be fetched."""
    table = Table("model", "path", "parameters", "weights", "cache / token", "download")
    for role, (model, size) in sizes.items():
        table.add_row(
            role,
            f"{model.path} (stand-in)" if model.grow is not None else model.path,
            f"{size.parameters:,}",
            f"{in_bytes(size.weights)} ({model.quantization or model.dtype})",
            in_bytes(size.cache_per_token),
            in_bytes(size.download) if size.download else "nothing",
        )
    return table
