"""The plan: the key of every artifact and what a run would do, known before anything runs.

A stage's key depends on its settings and on its inputs' keys only, never on their
content, so the keys of the whole graph follow from the configuration.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from judge_lightning.errors import UserError
from pipelines.acceptance import stages_without_use
from pipelines.config import RunConfig
from pipelines.graph import selected_names
from pipelines.stage import Stage
from pipelines.store import ArtifactStore, State, artifact_key
from pipelines.store.artifact import SHORT_KEY

__all__ = ["SHORT_KEY", "Plan", "PlannedStage", "make_plan", "require_inputs"]


@dataclass(frozen=True)
class PlannedStage:
    """One stage of a run: what it is given, its key, and what the store has under it.

    ``inputs`` maps the stages that it reads to their keys. ``selected``: the run is
    asked for it; otherwise only its cached artifact can be used.
    """

    stage: Stage
    settings: dict[str, Any]
    inputs: dict[str, str]
    key: str
    state: State
    problem: str
    selected: bool

    @property
    def name(self) -> str:
        return self.stage.name

    @property
    def will_run(self) -> bool:
        return self.selected and not self.state.finished


@dataclass(frozen=True)
class Plan:
    """All stages of the pipeline in the order in which they run."""

    stages: tuple[PlannedStage, ...]

    @property
    def selected(self) -> list[PlannedStage]:
        return [planned for planned in self.stages if planned.selected]

    @property
    def keys(self) -> dict[str, str]:
        """Of the stages that the run is asked for."""
        return {planned.name: planned.key for planned in self.selected}

    @property
    def to_run(self) -> list[PlannedStage]:
        return [planned for planned in self.stages if planned.will_run]

    def __getitem__(self, name: str) -> PlannedStage:
        return next(planned for planned in self.stages if planned.name == name)


def make_plan(config: RunConfig, order: list[Stage], store: ArtifactStore) -> Plan:
    """Computes every key and looks each one up. Reads no model and changes nothing.

    A stage that the configuration does not want is no part of the plan.

    Raises:
        UserError: An unknown stage is requested, or what a stage reads from outside the
            store (a data file, model weights) cannot be read.
    """
    planned = []
    for keyed in _keyed_stages(config, order):
        state, problem = store.state(keyed.stage.name, keyed.key)
        planned.append(replace(keyed, state=state, problem=problem))
    return Plan(tuple(planned))


def plan_keys(config: RunConfig, order: list[Stage]) -> dict[str, str]:
    """The keys of the stages that a run is asked for, without a look into any store.

    Raises:
        UserError: As ``make_plan``.
    """
    return {one.name: one.key for one in _keyed_stages(config, order) if one.selected}


def _keyed_stages(config: RunConfig, order: list[Stage]) -> list[PlannedStage]:
    unused = stages_without_use(config)
    order = [stage for stage in order if stage.wanted(config) and stage.name not in unused]
    names = selected_names(config.stages, order)
    keys: dict[str, str] = {}
    planned: list[PlannedStage] = []
    for stage in order:
        settings = stage.settings(config)
        inputs = {name: keys[name] for name in stage.reads if name in keys}
        try:
            key = artifact_key(stage.name, stage.version, settings, inputs)
        except (TypeError, ValueError) as error:
            raise RuntimeError(f"settings of stage {stage.name}: {error}") from error
        keys[stage.name] = key
        selected = stage.name in names
        planned.append(PlannedStage(stage, settings, inputs, key, State.MISSING, "", selected))
    return planned


def require_inputs(plan: Plan) -> None:
    """Refuses a selection whose stages read artifacts that are neither cached nor selected.

    Raises:
        UserError: Names the stages that have to be added to the selection.
    """
    missing: list[str] = []

    def visit(name: str) -> None:
        planned = plan[name]
        if planned.selected or planned.state.finished or name in missing:
            return
        for read in planned.inputs:
            visit(read)
        missing.append(name)

    for planned in plan.to_run:
        for read in planned.inputs:
            visit(read)
    if missing:
        selection = [p.name for p in plan.stages if p.selected or p.name in missing]
        raise UserError(
            "stages",
            f"{', '.join(p.name for p in plan.to_run)} would read {', '.join(missing)}, "
            "which is not cached for this configuration",
            f"use stages=[{','.join(selection)}]",
        )
