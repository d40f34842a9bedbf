"""The sandbox's own process: starts the program and its tests apart, and waits.

Started with an empty environment and reading its work from standard input, so that nothing of
the caller's memory, files or keys is in the processes that come from here.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from typing import Any

from judge_lightning.sandbox.candidate import serve
from judge_lightning.sandbox.carriage import receive, send
from judge_lightning.sandbox.confine import CannotConfine, Confined, die_with_parent, start
from judge_lightning.sandbox.judge import ENDED, FAILED, UNDECIDED, judge
from judge_lightning.sandbox.limits import Limits

CANNOT_CONFINE = "cannot be confined"

_GRACE_SECONDS = 0.2
"""How long the news of a program's end, which its tests have noticed, is waited for."""


def main() -> None:
    """Takes jobs from standard input until it ends; an outcome for each goes out.

    Every job is read by a process of its own: this one never holds the tests of a program, so
    no later program can find them in the memory that it was forked with.
    """
    die_with_parent()
    status = 0
    while status == 0:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                die_with_parent()
                _take_job()
                status = 0
            except EOFError:
                pass
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)


def _take_job() -> None:
    job = receive(0)
    limits = Limits(**job["limits"])
    began = time.monotonic()
    running: list[Confined] = []
    try:
        outcome = _run(job, limits, running, began + limits.wall_seconds)
    except CannotConfine as error:
        if not running:
            receive(0)  # the tests, which nobody has read
        outcome = {"verdict": UNDECIDED, "reason": CANNOT_CONFINE, "detail": str(error)}
    finally:
        for confined in running:
            confined.end()
    outcome["seconds"] = round(time.monotonic() - began, 3)
    send(1, outcome)


def _run(
    job: dict[str, Any], limits: Limits, running: list[Confined], deadline: float
) -> dict[str, Any]:
    asked, ask = os.pipe()
    answered, answer = os.pipe()
    solution, how = job.pop("solution"), job["how"]
    program = start(lambda: serve(solution, asked, answer), (asked, answer), limits, how)
    running.append(program)
    os.close(asked)
    os.close(answer)
    # Read only now: the program's process never held the tests.
    tests = receive(0)
    read, write = os.pipe()

    def judged() -> None:
        send(write, judge(tests, ask, answered))

    judging = start(judged, (ask, answered, write), limits, how)
    running.append(judging)
    for descriptor in (ask, answered, write):
        os.close(descriptor)
    ready, _, _ = select.select([read], [], [], max(0.0, deadline - time.monotonic()))
    if not ready:
        return {"verdict": FAILED, "reason": "timed out", "detail": f"{limits.wall_seconds:g} s"}
    try:
        outcome: dict[str, Any] = receive(read)
    except EOFError:
        return {"verdict": UNDECIDED, "reason": "the tests ended without a verdict", "detail": ""}
    if outcome["reason"] == ENDED:
        outcome["detail"] = _how_ended(program)
    return outcome


def _how_ended(program: Confined) -> str:
    ready, _, _ = select.select([program.ended], [], [], _GRACE_SECONDS)
    if not ready:
        return ""
    with contextlib.suppress(ValueError):
        status = int(os.read(program.ended, 16))
        if os.WIFSIGNALED(status):
            return f"killed by signal {os.WTERMSIG(status)}"
        return f"exit status {os.waitstatus_to_exitcode(status)}"
    return ""
