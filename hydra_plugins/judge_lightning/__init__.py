"""The launcher that Hydra gives the jobs of a multirun to, whatever ``launch`` says.

Hydra takes launchers from the namespace package ``hydra_plugins`` alone, and imports all that is in
it at every start: what the launcher does is in ``pipelines.multirun``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from judge_lightning.errors import UserError


class SweepLauncher(Launcher):
    """Skips the jobs that are finished and runs the others where ``launch.multirun`` says.

    Args:
        settings: Of ``hydra.launcher``, which only submitit's has: what is asked of Slurm.
    """

    def __init__(self, **settings: Any) -> None:
        self._settings = settings
        self._context: HydraContext
        self._task: TaskFunction
        self._config: DictConfig

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Takes what Hydra has."""
        self._context, self._task, self._config = hydra_context, task_function, config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Runs the jobs. What they return is in their folders, and not returned.

        Raises:
            SweepError: Not every job ended well; what is to be said of it has been printed.
            UserError: Something is wrong with all of them.
        """
        from pipelines.multirun.sweeping import Multirun

        if OmegaConf.select(self._config, "hydra.sweeper.max_batch_size") is not None:
            raise UserError(
                "hydra.sweeper.max_batch_size",
                "a sweep is launched as a whole",
                "leave it out; launch.jobs says how many jobs run at once",
            )
        Multirun(self._context, self._task, self._config, self._settings).run(job_overrides)
        return []
