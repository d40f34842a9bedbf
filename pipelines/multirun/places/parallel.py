"""Jobs side by side on this machine, which they share out."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import SimpleQueue

from evals.workers import cpu_cores, cpu_threads, visible_gpus
from judge_lightning.errors import UserError
from pipelines.config import LaunchConfig
from pipelines.multirun.ending import INTERRUPTED, Ended
from pipelines.multirun.places.processes import JobProcess
from pipelines.multirun.record import SweepJob


class Parallel:
    """At most ``launch.jobs`` processes at once.

    Each gets ``launch.threads`` threads, or else its share of the cores, and its share of the GPUs.

    Raises:
        UserError: Fewer than one job, or more threads than cores.
    """

    def __init__(self, launch: LaunchConfig) -> None:
        if launch.jobs < 1:
            raise UserError("launch.jobs", f"is {launch.jobs}", "give 1 or more")
        if launch.jobs * launch.threads > max(cpu_cores(), launch.threads):
            raise UserError(
                "launch.threads",
                f"{launch.jobs} jobs of {launch.threads} threads are more than the"
                f" {cpu_cores()} cores of this machine",
                "give less of one of them, or launch.threads=0 for an even share",
            )
        self._most = launch.jobs
        self._threads = launch.threads or cpu_threads(launch.jobs)
        self._running: set[JobProcess] = set()
        self._stopped = False

    def describe(self, jobs: Sequence[SweepJob]) -> str:
        """How many at once, and with what."""
        most = min(self._most, len(jobs))
        plural = "" if self._threads == 1 else "s"
        return (
            f"{most} at once, {self._threads} thread{plural} each;"
            f" a job's output: {jobs[0].sweep}/JOB/{jobs[0].log.name}"
        )

    def run(self, jobs: Sequence[SweepJob]) -> Generator[Ended, None, None]:
        """See ``Place``."""
        places: SimpleQueue[int] = SimpleQueue()
        for place in range(self._most):
            places.put(place)
        gpus = visible_gpus("auto") if self._most > 1 else []

        def run_one(job: SweepJob) -> Ended:
            if self._stopped:
                return Ended(job, INTERRUPTED)
            place = places.get()
            try:
                variables = self._share(place, gpus)
                with JobProcess(job, Path.cwd(), variables) as process:
                    self._running.add(process)
                    ended = Ended.of_process(job, process.wait())
                    self._running.discard(process)
                    return ended
            finally:
                places.put(place)

        with ThreadPoolExecutor(self._most) as pool:
            futures = [pool.submit(run_one, job) for job in jobs]
            try:
                for future in as_completed(futures):
                    yield future.result()
            finally:
                self._stopped = True
                for process in list(self._running):
                    process.stop()

    def _share(self, place: int, gpus: Sequence[str]) -> dict[str, str]:
        """What the job in a place may use."""
        variables = {"OMP_NUM_THREADS": str(self._threads)}
        if len(gpus) > 1:
            own = gpus[place :: self._most] or [gpus[place % len(gpus)]]
            variables["CUDA_VISIBLE_DEVICES"] = ",".join(own)
        return variables
