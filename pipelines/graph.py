"""The graph of stages: found by listing a package, ordered by what each one reads."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping

from judge_lightning.errors import UserError
from pipelines.stage import Stage

FINAL_STAGE = {
    "judge": "report",
    "court": "dataset",
    "acceptance": "report",
    "safety": "safety",
    "pretrain": "pretrain",
}
"""The stage that each pipeline exists for: everything that it needs is part of the pipeline."""

_WITHOUT = {"acceptance": frozenset({"decode", "speed", "evaluate", "mt_bench", "safety"})}
"""What a pipeline's last stage can do without, and the pipeline does."""


class GraphError(Exception):
    """The stages themselves are wrong: a programming mistake, never the user's."""


def discover_stages(package: str = "pipelines.stages") -> dict[str, Stage]:
    """Imports every module of ``package`` and returns its ``STAGE`` by the stage's name.

    Raises:
        GraphError: A module without a ``STAGE``, or one whose name is not the module's.
    """
    stages: dict[str, Stage] = {}
    for module_info in pkgutil.iter_modules(importlib.import_module(package).__path__):
        module = importlib.import_module(f"{package}.{module_info.name}")
        stage = getattr(module, "STAGE", None)
        if not isinstance(stage, Stage):
            raise GraphError(f"{module.__name__} has no STAGE")
        if stage.name != module_info.name:
            raise GraphError(f"{module.__name__} holds a stage that calls itself {stage.name}")
        stages[stage.name] = stage
    return stages


def ordered_stages(
    stages: Mapping[str, Stage], final: str, without: frozenset[str] = frozenset()
) -> list[Stage]:
    """``final`` and all that it needs, every stage after the ones that it reads.

    What is needed by nothing but the stages ``without`` is left out with them.

    Raises:
        GraphError: A stage reads one that does not exist, or itself in a circle.
    """
    order: list[Stage] = []
    finished: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise GraphError("stages read each other in a circle: " + " -> ".join((*path, name)))
        if name in finished:
            return
        if name not in stages:
            raise GraphError(f"{path[-1] if path else 'the pipeline'} needs {name}: no such stage")
        for read in stages[name].reads:
            if read not in without:
                visit(read, (*path, name))
        finished.add(name)
        order.append(stages[name])

    visit(final, ())
    return order


def stages_of_pipeline(pipeline: str, stages: Mapping[str, Stage]) -> list[Stage]:
    """The stages of a named pipeline in the order in which they run.

    Raises:
        UserError: There is no such pipeline.
    """
    if pipeline not in FINAL_STAGE:
        raise UserError(
            "pipeline",
            f"there is no pipeline '{pipeline}'",
            f"choose one of: {', '.join(FINAL_STAGE)}",
        )
    without = _WITHOUT.get(pipeline, frozenset())
    return ordered_stages(stages, FINAL_STAGE[pipeline], without)


def selected_names(requested: list[str] | None, order: list[Stage]) -> list[str]:
    """The names of the stages to run, in the graph's order; None requests all of them.

    Raises:
        UserError: A requested stage is not part of the graph, or none was requested.
    """
    names = [stage.name for stage in order]
    if requested is None:
        return names
    choice = f"choose from: {', '.join(names)}"
    for name in requested:
        if name not in names:
            raise UserError("stages", f"there is no stage '{name}' in this pipeline", choice)
    if not requested:
        raise UserError("stages", "the list is empty", choice)
    return [name for name in names if name in requested]
