"""How a job ended, as its process says it."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from pipelines.multirun.record import SweepJob

FAILED, USERS_MISTAKE, REFUSED, INTERRUPTED = 1, 2, 3, 130
"""Exit statuses of a run."""


class SweepError(Exception):
    """Not every job of a sweep ended well; ``status`` is the worst job's."""

    def __init__(self, status: int) -> None:
        super().__init__(f"a job ended with status {status}")
        self.status = status


@dataclass(frozen=True)
class Ended:
    """A job's exit status, a reason where the job could not note one, and what signal ended it."""

    job: SweepJob
    status: int
    reason: str = ""
    signal: int = 0

    @classmethod
    def of_process(cls, job: SweepJob, returned: int) -> Ended:
        """From what ``Popen`` returns: negative after a signal."""
        if returned >= 0:
            return cls(job, returned)
        name = signal.Signals(-returned).name
        return cls(job, FAILED, f"its process was ended by {name}", -returned)

    def why(self) -> str:
        """In one line, why the job is not finished."""
        if self.reason:
            return self.reason
        if self.status == INTERRUPTED:
            return "interrupted"
        return str(self.job.summary().get("failed") or self._last_line())

    def _last_line(self) -> str:
        try:
            lines = self.job.log.read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError:
            lines = []
        last = next((line for line in reversed(lines) if line.strip()), "")
        return last.removeprefix("error: ") or f"its process ended with status {self.status}"
