"""Runs generated programs against their tests, each in processes of its own."""

from __future__ import annotations

import contextlib
import json
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from judge_lightning.sandbox.confine import Limits

PASSED, FAILED, UNDECIDED = "passed", "failed", "undecided"

LIMITS = Limits(
    wall_seconds=10.0,
    cpu_seconds=10,
    memory_bytes=512 * 2**20,
    processes=4,
    file_bytes=16 * 2**20,
)
"""Plenty for a function and its tests. A program with children has at most ``processes`` times
``memory_bytes``; its temporary folder holds ``file_bytes``."""

_START_SECONDS = 20.0
"""For what is not the program's time: starting Python on a busy machine."""

_FOLDER = Path(__file__).parents[2]
_START = (
    "import sys, os; sys.path.insert(0, sys.argv[1]);"
    "from judge_lightning.sandbox.supervisor import main;"
    "sys.path.remove(sys.argv[1]); del sys.argv[1:]; main()"
)


@dataclass(frozen=True)
class Program:
    """A generated program and what it must do.

    Attributes:
        solution: The generated code.
        test: Code that raises where the solution is wrong (MBPP), or that defines
            ``check(candidate)`` that does (HumanEval).
        entry_point: The function that ``check`` is given; empty where the test names it itself.
        context: The task's own code, whose names the test may use (HumanEval's prompt).
    """

    solution: str
    test: str
    entry_point: str = ""
    context: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came of a program.

    ``verdict`` is ``passed``, ``failed``, or ``undecided`` where the tests themselves could not
    be run: that says nothing about the program. ``reason`` is a short phrase that can be
    counted, ``detail`` the particulars.
    """

    verdict: str
    reason: str
    detail: str
    seconds: float

    @property
    def passed(self) -> bool:
        return self.verdict == PASSED


def run_program(program: Program, limits: Limits = LIMITS, how: str | None = None) -> Outcome:
    """Loads a program and runs its tests, confined.

    Args:
        how: The confinement; None takes the best that this machine has.

    Raises:
        UserError: This machine has no confinement that is good enough.
    """
    if how is None:
        from judge_lightning.sandbox.isolation import require_isolation

        how = require_isolation().how
    sent = _frame({"limits": asdict(limits), "how": how, "solution": program.solution})
    sent += _frame(
        {"test": program.test, "entry_point": program.entry_point, "context": program.context}
    )
    with _supervisor() as process:
        try:
            told, errors = process.communicate(sent, timeout=limits.wall_seconds + _START_SECONDS)
        except subprocess.TimeoutExpired:
            return Outcome(FAILED, "timed out", "", limits.wall_seconds + _START_SECONDS)
    try:
        return Outcome(**json.loads(told))
    except (ValueError, TypeError):
        last = (errors.decode(errors="replace").strip().splitlines() or ["no outcome"])[-1]
        return Outcome(UNDECIDED, "the sandbox failed", last, 0.0)


def run_programs(
    programs: Sequence[Program], limits: Limits = LIMITS, workers: int = 1
) -> list[Outcome]:
    """Runs many programs, ``workers`` at a time, and returns their outcomes in order.

    Raises:
        UserError: This machine has no confinement that is good enough.
    """
    from judge_lightning.sandbox.isolation import require_isolation

    how = require_isolation().how
    with ThreadPoolExecutor(max(1, workers)) as pool:
        return list(pool.map(lambda program: run_program(program, limits, how), programs))


@contextlib.contextmanager
def _supervisor() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        # No site packages, no user's folder; hashes as on every other run, so that a verdict
        # cannot hang on the order of a set.
        [sys.executable, "-s", "-S", "-P", "-B", "-c", _START, str(_FOLDER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PYTHONHASHSEED": "0"},
        cwd="/",
        start_new_session=True,
    )
    try:
        yield process
    finally:
        # Its guards die with it, and their programs with them.
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _frame(message: object) -> bytes:
    data = json.dumps(message).encode("ascii")
    return struct.pack("<I", len(data)) + data
