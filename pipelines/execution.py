"""Carrying a plan out: every stage once, reused when its key is already in the store."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from judge_lightning.crew import Crew
from judge_lightning.errors import UserError
from pipelines.config import RunConfig
from pipelines.inference import close_models
from pipelines.manifest import Provenance
from pipelines.origin import origin
from pipelines.plan import SHORT_KEY, Plan, PlannedStage
from pipelines.stage import StageContext
from pipelines.store import Artifact, ArtifactStore, Writer
from pipelines.tracking import RunTracker


class StageError(Exception):
    """A stage raised something that is not the user's mistake; it is the ``__cause__``."""

    def __init__(self, stage: str, error: Exception) -> None:
        first_line = (str(error).strip().splitlines() or [""])[0]
        super().__init__(f"stage {stage} failed: {type(error).__name__}: {first_line}")


@dataclass(frozen=True)
class StageResult:
    """A stage's artifact, whether it was found in the store, and the seconds that it took."""

    planned: PlannedStage
    artifact: Artifact
    cached: bool
    seconds: float

    def line(self, width: int) -> str:
        """One line for the terminal: name, ``cached`` or ``ran``, seconds, short key."""
        effort = "cached" if self.cached else "ran"
        time = f"{self.seconds:>8.1f} s"
        return f"{self.planned.name:<{width}}  {effort:<6}  {time}  {self.planned.key[:SHORT_KEY]}"


def execute(
    plan: Plan,
    config: RunConfig,
    store: ArtifactStore,
    tracker: RunTracker,
    *,
    on_done: Callable[[StageResult], None],
    on_wait: Callable[[PlannedStage], None],
    crew: Crew | None = None,
) -> None:
    """Runs the selected stages in order; what is finished stays finished whatever comes later.

    Args:
        on_done: Called after each stage.
        on_wait: Called when another process is computing the stage's artifact.
        crew: Who carries out the shards of stages that have some; None: this machine.

    Raises:
        StageError: A stage raised something else than ``UserError``, which passes as it is.
    """
    if config.launch.threads and plan.to_run:
        import torch

        torch.set_num_threads(config.launch.threads)
    keys = {planned.name: planned.key for planned in plan.selected}
    store.begin(config.exp, keys)
    read = {name for planned in plan.to_run for name in planned.inputs}
    for planned in plan.selected:
        unread = planned.name not in read and planned is not plan.selected[-1]
        left = store.left_there(planned.name, planned.key) if unread else None
        if left is not None:
            tracker.record(left.stage, left.manifest.metrics)
            on_done(StageResult(planned, left, True, 0.0))
        else:
            on_done(_result(planned, config, store, tracker, on_wait, crew=crew))
    store.settle(keys)


def _result(
    planned: PlannedStage,
    config: RunConfig,
    store: ArtifactStore,
    tracker: RunTracker,
    on_wait: Callable[[PlannedStage], None],
    *,
    crew: Crew | None,
) -> StageResult:
    started = time.perf_counter()
    artifact = store.find(planned.name, planned.key)
    cached = artifact is not None
    if artifact is None:
        with store.writer(planned.name, planned.key, lambda: on_wait(planned)) as writer:
            cached = writer.finished is not None
            artifact = writer.finished or _computed(
                planned, config, store, tracker, writer, crew=crew
            )
    if cached:
        tracker.used(artifact)
    else:
        tracker.produced(artifact)
    return StageResult(planned, artifact, cached, time.perf_counter() - started)


def _computed(
    planned: PlannedStage,
    config: RunConfig,
    store: ArtifactStore,
    tracker: RunTracker,
    writer: Writer,
    *,
    crew: Crew | None,
) -> Artifact:
    recorder = tracker.recorder(planned.name)
    context = StageContext(
        config=config,
        inputs={name: store.fetched(name, key) for name, key in planned.inputs.items()},
        work=writer.work,
        recorder=recorder,
        crew=crew,
    )
    started = datetime.now(UTC)
    clock = time.perf_counter()
    try:
        planned.stage.run(context)
    except UserError:
        raise
    except Exception as error:
        raise StageError(planned.name, error) from error
    finally:
        close_models(config)
    return writer.publish(
        Provenance(
            version=planned.stage.version,
            settings=planned.settings,
            inputs=planned.inputs,
            metrics=recorder.metrics,
            timings={
                "started": started.isoformat(timespec="seconds"),
                "seconds": round(time.perf_counter() - clock, 3),
            },
            origin=origin(),
            wandb=tracker.wandb_id,
        ),
        frozenset(context.volatile),
    )
