"""Jobs that submitit submits: to Slurm, or as processes of this machine in the same way."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from judge_lightning.errors import UserError
from pipelines.durable import read_json, write_json
from pipelines.multirun.ending import FAILED, Ended
from pipelines.multirun.places.processes import python_path, run_job_process
from pipelines.multirun.record import SweepJob

SUBMITTED = "submitted.json"
"""In a job's folder: under which number Slurm knows it."""

_OF_AUTO_EXECUTOR = frozenset(
    {"timeout_min", "cpus_per_task", "gpus_per_node", "tasks_per_node", "mem_gb", "nodes", "name",
     "stderr_to_stdout"}
)  # fmt: skip
"""Parameters that submitit has for every cluster; the others carry the cluster's name in front."""
_POLL_SECONDS = {"local": 0.1, "slurm": 2.0}
_UNTIL_REQUEUED_SECONDS = 120.0
_QUEUE_SECONDS = 10.0
_ANSWER_SECONDS = 30.0
"""What a shared file system may take until a file is seen."""
_ATTEMPTS = 4
_SLURMS_WORD = re.compile(r"slurmstepd.*error:|srun: error:.*(?i:oom|out of memory)")


class Submitted:
    """``where`` is ``slurm`` or ``submitit``.

    Args:
        settings: Of ``hydra.launcher``, those of hydra-submitit-launcher.

    Raises:
        UserError: This machine cannot submit to Slurm.
    """

    def __init__(self, where: str, settings: Mapping[str, Any]) -> None:
        self._cluster = "slurm" if where == "slurm" else "local"
        self._settings = {name: value for name, value in settings.items() if value is not None}
        if self._cluster == "slurm" and not all(map(shutil.which, ("sbatch", "srun"))):
            raise UserError(
                "launch=slurm",
                "there is no sbatch on this machine",
                "start it where jobs are submitted, or take launch=submitit or launch=parallel",
            )

    def describe(self, jobs: Sequence[SweepJob]) -> str:
        """Where the output is."""
        to = "Slurm" if self._cluster == "slurm" else "processes of this machine"
        return f"submitted to {to}; a job's output: {jobs[0].sweep}/JOB/{jobs[0].log.name}"

    def run(self, jobs: Sequence[SweepJob]) -> Generator[Ended, None, None]:
        """See ``Place``. Jobs that Slurm still has from an earlier command are not submitted again;
        closing it leaves jobs of Slurm alone."""
        waiting = {}
        for job in jobs:
            if (known := self._still_there(job)) is not None:
                print(f"job {job.number}: Slurm has it already, as {known.job_id}", flush=True)
                waiting[job] = known
        waiting |= self._submit([job for job in jobs if job not in waiting])
        queue = SlurmQueue() if self._cluster == "slurm" else None
        try:
            while waiting:
                for job, submitted in list(waiting.items()):
                    gone = queue is not None and queue.lost(submitted.job_id)
                    if gone or _has_answer(submitted):
                        del waiting[job]
                        yield _ended(job, submitted)
                if waiting:
                    time.sleep(_POLL_SECONDS[self._cluster])
        finally:
            if self._cluster == "local":
                for submitted in waiting.values():
                    submitted.cancel()
            elif waiting:
                ids = " ".join(submitted.job_id for submitted in waiting.values())
                print(f"Slurm goes on; the same command waits for it, `scancel {ids}` ends it")

    def executor(self, sweep: Path) -> Any:
        """The executor with all that ``hydra.launcher`` asks for."""
        import submitit

        given = dict(self._settings)
        given.pop("submitit_folder", None)  # It would be in a folder that no other machine sees.
        own = {}
        if "max_num_timeout" in given:
            own[f"{self._cluster}_max_num_timeout"] = given.pop("max_num_timeout")
        executor = submitit.AutoExecutor(
            folder=sweep.absolute() / ".submitit" / "%j", cluster=self._cluster, **own
        )
        parameters = {
            name if name in _OF_AUTO_EXECUTOR else f"{self._cluster}_{name}": value
            for name, value in given.items()
        }
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                executor.update_parameters(**parameters)
        except (ValueError, NameError, TypeError) as error:
            said = str(error).partition("\n")[0]
            raise UserError("hydra.launcher", said, "see docs/sweeps.md") from error
        return executor

    def _submit(self, jobs: Sequence[SweepJob]) -> dict[SweepJob, Any]:
        if not jobs:
            return {}
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        # For the process that unpickles the job, on whatever machine.
        os.environ["PYTHONPATH"] = python_path()
        executor = self.executor(jobs[0].sweep)
        calls = [JobCall(str(job.sweep.absolute()), job.number, str(Path.cwd())) for job in jobs]
        try:
            with executor.batch():
                submitted = [executor.submit(call) for call in calls]
        except (FailedJobError, FailedSubmissionError) as error:
            said = " ".join(str(error).split())
            raise UserError(
                "launch=slurm", f"sbatch refused: {said}", "see hydra.launcher"
            ) from error
        if self._cluster == "slurm":
            for job, one in zip(jobs, submitted, strict=True):
                write_json(job.folder / SUBMITTED, {"slurm": one.job_id})
        return dict(zip(jobs, submitted, strict=True))

    def _still_there(self, job: SweepJob) -> Any:
        """What Slurm has of a job that an earlier command submitted; None where it is gone."""
        note = job.folder / SUBMITTED
        if self._cluster != "slurm" or not note.is_file():
            return None
        import submitit

        folder = job.sweep.absolute() / ".submitit" / "%j"
        number = str(read_json(note)["slurm"])
        return submitit.SlurmJob(folder=folder, job_id=number) if number in queued() else None


class JobCall:
    """What submitit pickles and calls: one job, from this folder, found by its number alone."""

    def __init__(self, sweep: str, number: int, cwd: str) -> None:
        self.sweep, self.number, self.cwd = sweep, number, cwd

    def __call__(self) -> tuple[int, str]:
        """Its exit status, and a reason where it could note none."""
        ended = run_job_process(self.sweep, self.number, self.cwd)
        if ended.signal == signal.SIGTERM and "SLURM_JOB_ID" in os.environ:
            # Slurm tells every process of a job that it takes the machine from, this one last: an
            # answer now would be taken for the job's, which it starts again.
            time.sleep(_UNTIL_REQUEUED_SECONDS)
        return ended.status, ended.reason

    def checkpoint(self) -> Any:
        """Before its time is up, or somebody else's is: submitit submits the same again."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


class SlurmQueue:
    """What Slurm still has, asked now and then; ``squeue`` knows it where no accounting is kept."""

    def __init__(self) -> None:
        self._asked = float("-inf")
        self._seen = frozenset[str]()
        self._missing_since: dict[str, float] = {}

    def lost(self, number: str) -> bool:
        """Whether a job left the queue so long ago that its answer would be there."""
        now = time.monotonic()
        if now - self._asked > _QUEUE_SECONDS:
            self._asked, self._seen = now, queued()
        if number in self._seen:
            self._missing_since.pop(number, None)
            return False
        return now - self._missing_since.setdefault(number, now) > _ANSWER_SECONDS


def queued() -> frozenset[str]:
    """The numbers of the user's jobs that wait or run, those of an array one by one.

    Raises:
        UserError: Slurm does not say.
    """
    command = ["squeue", "--noheader", "--array", "--me", "--format=%i"]
    for attempt in range(_ATTEMPTS):
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
        if asked.returncode == 0:
            return frozenset(asked.stdout.split())
        time.sleep(attempt * _QUEUE_SECONDS)
    said = " ".join(asked.stderr.split())
    remedy = "give the same command again when it answers: jobs go on meanwhile"
    raise UserError("launch=slurm", f"squeue fails: {said}", remedy)


def _has_answer(submitted: Any) -> bool:
    if submitted.paths.result_pickle.exists():
        return True
    return getattr(submitted, "_process", None) is not None and bool(submitted.done())


def _ended(job: SweepJob, submitted: Any) -> Ended:
    """What the job answered. Submitit would first ask Slurm's accounting, which not all have."""
    answer = submitted.paths.result_pickle
    if not answer.exists():
        return Ended(job, FAILED, _last_error(submitted.paths.stdout) or "it ended with no answer")
    from submitit.core.utils import pickle_load

    outcome, found = pickle_load(answer)
    if outcome != "success":
        return Ended(job, FAILED, str(found).strip().splitlines()[-1])
    status, reason = found
    return Ended(job, status, reason)


def _last_error(output: Path) -> str:
    """What Slurm wrote of a job that it ended: cancelled, out of memory, out of time."""
    with suppress(OSError):
        lines = output.read_text(encoding="utf-8", errors="replace").splitlines()
        told = [line for line in lines if _SLURMS_WORD.search(line)]
        return told[-1].partition("error:")[2].strip(" *") if told else ""
    return ""
