"""What ``dry_run=true`` prints: the stages with their keys, and what the models weigh."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from pipelines.config import RunConfig
from pipelines.plan import SHORT_KEY, Plan, PlannedStage
from pipelines.preflight import ModelSizes, disk_needs, in_bytes, model_sizes
from pipelines.stand_in import describe_stand_in
from pipelines.store import State

WIDTH_WITHOUT_TERMINAL = 120


def print_plan(plan: Plan, config: RunConfig) -> None:
    """Prints the plan to stdout. Loads no model and sends no request."""
    console = Console(
        width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL, highlight=False
    )
    pair = f" on pair [bold]{config.pair.name}[/]" if config.pipeline == "judge" else ""
    console.print(f"[bold]{config.exp}[/]{pair}: the plan; nothing is run")
    console.print(stage_table(plan))
    console.print(f"{len(plan.to_run)} of {len(plan.selected)} stages would run")
    if stand_in := describe_stand_in(config.pair) if config.pipeline == "judge" else "":
        console.print(f"a stand-in: {stand_in}", soft_wrap=True)
    sizes = model_sizes(config.pair) if config.pipeline == "judge" else {}
    if sizes:
        console.print(model_table(sizes))
        total = in_bytes(sum(size.weights for _, size in sizes.values()))
        console.print(f"{total} of weights in memory for both models")
    for need in disk_needs(config, plan, sizes):
        console.print(need.describe(), soft_wrap=True)


def stage_table(plan: Plan) -> Table:
    """One row a stage in running order."""
    table = Table("stage", "key", "what", "reads", title_justify="left")
    for planned in plan.stages:
        table.add_row(
            planned.name, planned.key[:SHORT_KEY], _intention(planned), ", ".join(planned.inputs)
        )
    return table


def _intention(planned: PlannedStage) -> str:
    if planned.state is State.CACHED:
        return "cached"
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
