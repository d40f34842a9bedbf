"""Where the jobs of a sweep run: a file a place."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any, Protocol

from judge_lightning.errors import UserError
from pipelines.config import LaunchConfig, RunConfig
from pipelines.multirun.ending import Ended
from pipelines.multirun.places.in_turn import run_in_turn
from pipelines.multirun.record import SweepJob

__all__ = ["PLACES", "Place", "place_of", "require_one_run", "run_in_turn"]

PLACES = ("in_turn", "parallel", "slurm", "submitit", "ray")


class Place(Protocol):
    """Runs jobs in processes of their own."""

    def describe(self, jobs: Sequence[SweepJob]) -> str:
        """One line for the terminal before anything is started."""

    def run(self, jobs: Sequence[SweepJob]) -> Generator[Ended, None, None]:
        """Runs the jobs and yields each as it ends; closing it ends what is still running."""


def require_one_run(launch: LaunchConfig) -> None:
    """Raises UserError where a single run is asked of what only runs the jobs of a multirun."""
    if launch.multirun in ("slurm", "submitit"):
        raise UserError(
            "launch",
            f"{launch.multirun} runs the jobs of a multirun, and this is a single run",
            "add -m behind pipelines.run: a multirun of one job",
        )


def place_of(config: RunConfig, settings: Mapping[str, Any]) -> Place | None:
    """Where ``launch`` says; None for here, in turn.

    Args:
        config: Of any of the jobs.
        settings: Of ``hydra.launcher``.

    Raises:
        UserError: There is no such place, or it cannot be used from here.
    """
    launch, where = config.launch, config.launch.multirun
    if where not in PLACES:
        raise UserError(
            "launch.multirun", f"there is no '{where}'", f"choose one of: {', '.join(PLACES)}"
        )
    submits = where in ("slurm", "submitit")
    if bool(settings) != submits:
        raise UserError(
            "hydra/launcher",
            f"is not the one that launch.multirun={where} has",
            "choose both at once: launch=NAME (docs/sweeps.md)",
        )
    if submits:
        from pipelines.multirun.places.submitted import Submitted

        return Submitted(where, settings)
    if where == "parallel":
        from pipelines.multirun.places.parallel import Parallel

        return Parallel(launch)
    if where == "ray":
        from pipelines.multirun.places.on_ray import OnRay

        return OnRay(config)
    return None
