"""Runs generated programs against their tests, each in processes of its own."""

from __future__ import annotations

import select
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from judge_lightning.sandbox.carriage import CannotCarry, receive, send
from judge_lightning.sandbox.limits import LIMITS, Limits

PASSED, FAILED, UNDECIDED = "passed", "failed", "undecided"

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
    return run_programs([program], limits, how=how)[0]


def run_programs(
    programs: Sequence[Program],
    limits: Limits = LIMITS,
    workers: int = 1,
    how: str | None = None,
) -> list[Outcome]:
    """Runs many programs, ``workers`` at a time, and returns their outcomes in order.

    Raises:
        UserError: This machine has no confinement that is good enough.
    """
    how = how or _best()
    workers = max(1, min(workers, len(programs)))

    def run_share(first: int) -> list[Outcome]:
        with Sandbox(limits, how) as sandbox:
            return [sandbox.run(program) for program in programs[first::workers]]

    outcomes: list[Outcome] = [Outcome(UNDECIDED, "", "", 0.0)] * len(programs)
    with ThreadPoolExecutor(workers) as pool:
        for first, share in enumerate(pool.map(run_share, range(workers))):
            outcomes[first::workers] = share
    return outcomes


class Sandbox:
    """A process that runs one program after the other; started when it is first needed.

    Args:
        how: The confinement; None takes the best that this machine has.

    Raises:
        UserError: This machine has no confinement that is good enough.
    """

    def __init__(self, limits: Limits = LIMITS, how: str | None = None) -> None:
        self._limits, self._how = limits, how or _best()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, program: Program) -> Outcome:
        """Loads a program and runs its tests, confined."""
        process = self._process = self._process or _start()
        assert process.stdin is not None
        assert process.stdout is not None
        most = self._limits.wall_seconds + _START_SECONDS
        job = {"limits": asdict(self._limits), "how": self._how, "solution": program.solution}
        tests = asdict(program)
        del tests["solution"]
        try:
            send(process.stdin.fileno(), job)
            send(process.stdin.fileno(), tests)
            ready, _, _ = select.select([process.stdout], [], [], most)
            if ready:
                return Outcome(**receive(process.stdout.fileno()))
        except (EOFError, BrokenPipeError):
            pass
        except CannotCarry as error:
            self.close()
            return Outcome(FAILED, "too long", str(error), 0.0)
        self.close()
        return Outcome(UNDECIDED, "the sandbox failed", "its process ended or hung", most)

    def close(self) -> None:
        """Ends it; its guards die with it, and their programs with them."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process = None


def _best() -> str:
    from judge_lightning.sandbox.protections import require_isolation

    return require_isolation().how


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        # No site packages, no user's folder; hashes as on every other run, so that a verdict
        # cannot hang on the order of a set.
        [sys.executable, "-s", "-S", "-P", "-B", "-c", _START, str(_FOLDER)],
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PYTHONHASHSEED": "0"},
        cwd="/",
        start_new_session=True,
    )
