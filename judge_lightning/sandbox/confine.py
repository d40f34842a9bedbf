"""Starts one confined process: its own view of the machine, its limits, no privileges.

A confined process has a guard, its parent outside: the guard's end ends it, and the guard says
what it ended with.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from judge_lightning.sandbox.landlock import hide_all_but
from judge_lightning.sandbox.limits import NAMESPACES, Limits
from judge_lightning.sandbox.namespaces import Namespaces, drop_capabilities, visible_paths
from judge_lightning.sandbox.seccomp import refuse_system_calls

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_OPEN_FILES = 64
_HIGHEST_DESCRIPTOR = 1024
"""The supervisor was started with three descriptors and opened a few pipes."""
_RUNNING = b"running\n"


class CannotConfine(Exception):  # noqa: N818  it is a fact, not a fault
    """The kernel does not allow what the sandbox needs."""


@dataclass(frozen=True)
class Confined:
    """A confined process's guard, and the pipe on which it says how the process ended."""

    guard: int
    ended: int

    def end(self) -> None:
        """Ends it with all its children, and returns when they are gone."""
        # The guard kills it: only a parent knows that the number is still its child's.
        os.kill(self.guard, signal.SIGTERM)
        os.waitpid(self.guard, 0)
        os.close(self.ended)


def start(body: Callable[[], None], keep: Iterable[int], limits: Limits, how: str) -> Confined:
    """Runs ``body`` in a confined process.

    Args:
        keep: File descriptors that stay open in it; no other does.
        how: ``NAMESPACES`` or ``ALONE``.

    Raises:
        CannotConfine: The kernel does not allow it.
    """
    told, tell = os.pipe()
    guard = os.fork()
    if guard == 0:
        os.close(told)
        _run(lambda: _guard(body, frozenset(keep), limits, how, tell))
    os.close(tell)
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(told, 1)
        if not piece:
            break
        line += piece
    if line != _RUNNING:
        os.waitpid(guard, 0)
        os.close(told)
        raise CannotConfine(line.decode().strip() or "the guard ended at once")
    return Confined(guard, told)


def die_with_parent() -> None:
    """This process is killed when its parent ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _guard(
    body: Callable[[], None], keep: frozenset[int], limits: Limits, how: str, tell: int
) -> None:
    die_with_parent()
    namespaces = Namespaces() if how == NAMESPACES else None
    ready, readied = os.pipe()
    try:
        if namespaces:
            namespaces.enter(limits.file_bytes)
            # A new user namespace forgets it.
            die_with_parent()
        process = os.fork()
    except OSError as error:
        os.write(tell, f"{error}\n".encode())
        return
    if process == 0:
        os.close(ready)
        os.close(tell)
        _confine(keep | {readied}, limits, namespaces, readied)
        body()
        return
    for descriptor in keep | {readied}:
        os.close(descriptor)
    problem = b""
    while piece := os.read(ready, 1000):
        problem += piece
        if problem == b"\n":
            break
    if problem != b"\n":
        os.write(tell, problem.strip() + b"\n")
        return
    signal.signal(signal.SIGTERM, lambda *_: os.kill(process, signal.SIGKILL))
    os.write(tell, _RUNNING)
    os.write(tell, str(os.waitpid(process, 0)[1]).encode())


def _confine(
    keep: frozenset[int], limits: Limits, namespaces: Namespaces | None, ready: int
) -> None:
    try:
        if namespaces:
            namespaces.seal()
        elif os.geteuid() == 0:
            _leave_root()
        drop_capabilities()
        die_with_parent()
        os.setsid()
        _close_all_but(keep)
        os.environ.clear()
        _limit(limits)
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        if namespaces is None:
            # Where there is no Landlock, what can be read is up to the files' permissions.
            with suppress(OSError):
                hide_all_but(visible_paths())
        refuse_system_calls(alone=namespaces is None)
    except OSError as error:
        os.write(ready, f"{error}\n".encode())
        os._exit(1)
    os.write(ready, b"\n")
    os.close(ready)


def _leave_root() -> None:
    """Becomes nobody, where Python's own library can still be read then."""
    nobody = 65534
    path = os.__file__
    try:
        os.setgroups([])
        os.setegid(nobody)
        os.seteuid(nobody)
        readable = os.access(path, os.R_OK, effective_ids=True)
        os.seteuid(0)
        os.setegid(0)
        if readable:
            os.setresgid(nobody, nobody, nobody)
            os.setresuid(nobody, nobody, nobody)
    except PermissionError:
        return  # A container's root that may not change its user.


def _close_all_but(keep: frozenset[int]) -> None:
    nothing = os.open("/dev/null", os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    start = 3
    for descriptor in sorted(keep):
        os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, _HIGHEST_DESCRIPTOR)


def _limit(limits: Limits) -> None:
    for name, value in (
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NPROC, limits.processes + 1),  # the guard counts too
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
    ):
        resource.setrlimit(name, (value, value))


def _run(body: Callable[[], None]) -> None:
    """Calls ``body`` in a forked process, which never returns into its parent's code."""
    try:
        body()
    finally:
        os._exit(0)
