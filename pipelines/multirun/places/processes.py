"""A job as a process, on whatever machine this is called."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import pipelines
from pipelines.multirun.ending import FAILED, Ended
from pipelines.multirun.record import SWEEP, SweepJob

ROOT = Path(pipelines.__file__).parents[1]
"""Where the packages are, which processes started elsewhere must find too."""

_GRACE_SECONDS = 25.0


class JobProcess:
    """A running job; leaving the ``with`` block ends it. Its output goes into its log.

    Args:
        cwd: What relative paths of the configuration start from.
        environment: Variables beside those that are set.
    """

    def __init__(self, job: SweepJob, cwd: Path, environment: Mapping[str, str]) -> None:
        command = [sys.executable, "-m", "pipelines.multirun", str(job.sweep), str(job.number)]
        # The log is where a traceback belongs; the terminal gets one line.
        variables = {**os.environ, "HYDRA_FULL_ERROR": "1", **environment}
        with job.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--while-stdin"],
                cwd=cwd,
                env=variables | {"PYTHONPATH": python_path()},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self) -> int:
        """Its exit status, negative after a signal."""
        return self._process.wait()

    def stop(self) -> None:
        """Interrupts it as Ctrl-C would, and kills it when that takes too long."""
        if self._process.poll() is None:
            assert self._process.stdin is not None
            with suppress(OSError):
                self._process.stdin.close()
            try:
                self._process.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()

    def __enter__(self) -> JobProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def python_path() -> str:
    """``PYTHONPATH`` with which another process finds these packages."""
    return os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])


def run_job_process(sweep: str, number: int, cwd: str, threads: int | None = None) -> Ended:
    """Runs a job to its end on a machine of a cluster.

    Where the sweep's folder is not to be seen there, that is the reason that is returned.
    """
    job = SweepJob(Path(sweep), number)
    if not (job.sweep / SWEEP).is_file() or not Path(cwd).is_dir():
        there = cwd if (job.sweep / SWEEP).is_file() else job.sweep
        host = os.uname().nodename
        return Ended(job, FAILED, f"{there} is not there on {host}; share it between all machines")
    variables = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    with JobProcess(job, Path(cwd), variables) as process:
        return Ended.of_process(job, process.wait())
