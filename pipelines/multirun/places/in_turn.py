"""Jobs in this process, one after the other, with their lines on its terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hydra.core.utils import run_job
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from pipelines.multirun.record import SweepJob


def run_in_turn(
    context: HydraContext,
    task: TaskFunction,
    configs: Sequence[DictConfig],
    job: SweepJob | None = None,
) -> Iterator[tuple[int, int]]:
    """Runs configurations with Hydra's part and yields (place in ``configs``, exit status).

    Args:
        job: What they are a job of; None for a dry run.
    """
    for place, config in enumerate(configs):
        number = place if job is None else job.number
        with open_dict(config):
            config.hydra.job.id = config.hydra.job.num = number
            if job is not None:
                config.hydra.sweep.dir = str(job.sweep)
        done = run_job(
            hydra_context=context,
            task_function=task,
            config=config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )
        yield place, int(done.return_value)
