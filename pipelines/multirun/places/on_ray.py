"""Jobs as tasks of a Ray cluster: a job has what one replica of ``launch.ray`` has."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from judge_lightning.errors import UserError
from pipelines.config import RunConfig
from pipelines.crew.inspection import Premises, inspect
from pipelines.crew.nodes import able, check_settings, count_replicas, describe_replica, nodes_of
from pipelines.crew.ray_cluster import import_ray, joined_cluster
from pipelines.multirun.ending import FAILED, Ended
from pipelines.multirun.places.processes import run_job_process
from pipelines.multirun.record import SweepJob
from pipelines.store.opening import field_of_folder, local_folder


class OnRay:
    """At most ``launch.ray.replicas`` jobs at once, or as many as the cluster has room for.

    A job whose node is lost is started again on another, where it goes on from the store.

    Raises:
        UserError: Ray is not installed, or nothing could be asked of any cluster so.
    """

    def __init__(self, config: RunConfig) -> None:
        if config.launch.ray is None:
            raise UserError(
                "launch.multirun", "ray needs to know the cluster", "choose launch=ray_jobs"
            )
        self._settings = config.launch.ray
        self._artifacts = local_folder(config).absolute()
        self._store_field = field_of_folder(config)
        check_settings(self._settings)
        import_ray()

    def describe(self, jobs: Sequence[SweepJob]) -> str:
        """What a job gets."""
        gets = describe_replica(self._settings)
        where = self._settings.address or "a cluster of this machine"
        log = f"{jobs[0].sweep}/JOB/{jobs[0].log.name}"
        return f"on Ray ({where}), {gets} a job; a job's output: {log}"

    def run(self, jobs: Sequence[SweepJob]) -> Generator[Ended, None, None]:
        """See ``Place``."""
        ray = import_ray()
        with joined_cluster(self._settings):
            nodes = nodes_of(ray)
            most = count_replicas(self._settings, nodes)
            premises = Premises(Path.cwd(), self._artifacts, {}, self._store_field)
            inspect(ray, able(self._settings, nodes), premises)
            task = self._task(ray)
            threads = max(1, int(self._settings.cpus_per_replica))
            waiting, running = list(jobs), dict[Any, SweepJob]()
            try:
                while waiting or running:
                    while waiting and len(running) < most:
                        job = waiting.pop(0)
                        sweep = str(job.sweep.absolute())
                        call = task.remote(sweep, job.number, str(Path.cwd()), threads)
                        running[call] = job
                    (done, *_), _ = ray.wait(list(running), num_returns=1)
                    yield _ended(ray, running.pop(done), done)
            finally:
                for call in running:
                    ray.cancel(call)  # Interrupts the task, which ends its job.
                if running:
                    ray.wait(list(running), num_returns=len(running), timeout=_END_SECONDS)

    def _task(self, ray: Any) -> Any:
        settings = self._settings
        return ray.remote(run_job_process).options(
            num_cpus=settings.cpus_per_replica,
            num_gpus=settings.gpus_per_replica,
            memory=int(settings.memory_per_replica * 2**30) or None,
            max_retries=settings.retries,
        )


_END_SECONDS = 30.0


def _ended(ray: Any, job: SweepJob, call: Any) -> Ended:
    try:
        ended: Ended = ray.get(call)
    except ray.exceptions.RayError as error:
        said = (str(error).strip().splitlines() or [""])[0].strip()
        return Ended(job, FAILED, f"Ray lost it ({type(error).__name__}: {said[:200]})")
    return Ended(job, ended.status, ended.reason)
