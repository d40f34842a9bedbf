"""Which protections hold on this machine: each is tried out, none is assumed."""

from __future__ import annotations

import functools
import os
import sys
from dataclasses import dataclass, replace

from judge_lightning.errors import UserError
from judge_lightning.sandbox.limits import ALONE, NAMESPACES
from judge_lightning.sandbox.programs import UNDECIDED, Program, run_programs

_FIELD = "sandbox"

# Each attempt is a function f that returns whether it was stopped. CALLER is the number of this
# process, HERE is this file.
_NO_NETWORK = """
import socket
def f():
    try:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("192.0.2.1", 53))
    except OSError:
        return True
    return False
"""
_NO_WRITING = """
import os
def f():
    for folder in (os.path.dirname(os.__file__), "/", "/usr", "/var/tmp", "/dev/shm"):
        try:
            open(folder + "/judge-lightning-probe", "w").close()
        except OSError:
            continue
        os.remove(folder + "/judge-lightning-probe")
        return False
    return True
"""
_NO_READING = """
def f():
    for path in ("/etc/passwd", "/proc/version", HERE):
        try:
            open(path).read()
        except OSError:
            continue
        return False
    return True
"""
_FOLDER = """
def f():
    try:
        with open("/tmp/probe", "w") as file:
            file.write("private")
    except OSError:
        return False
    return True
"""
_NO_ENVIRONMENT = """
import os
def f():
    if os.environ:
        return False
    try:
        open("/proc/CALLER/environ").read()
    except OSError:
        return True
    return False
"""
_NO_SIGNALS = """
import os
def f():
    if os.getpid() == 1:
        return os.getppid() == 0
    try:
        os.kill(os.getppid(), 0)
    except OSError:
        return True
    return False
"""
_MEMORY = """
def f():
    try:
        bytearray(2**40)
    except MemoryError:
        return True
    return False
"""
_PROCESSES = """
import os, signal
def f():
    children = []
    try:
        while len(children) < 20:
            child = os.fork()
            if child == 0:
                signal.pause()
            children.append(child)
    except OSError:
        return True
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    return False
"""
_OUTLIVED_BY_NOTHING = """
import os
def f():
    if os.getpid() == 1:
        return True
    try:
        os.setsid()
    except OSError:
        pass
    try:
        child = os.fork()
    except OSError:
        return True
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return False
"""
_OUTPUT = """
import os
def f():
    return all(os.fstat(number).st_rdev == os.stat("/dev/null").st_rdev for number in (0, 1, 2))
"""

_ESSENTIAL = {
    "network refused": _NO_NETWORK,
    "files cannot be changed": _NO_WRITING,
    "other processes out of reach": _NO_SIGNALS,
    "no process outlives the program": _OUTLIVED_BY_NOTHING,
    "memory limited": _MEMORY,
    "processes limited": _PROCESSES,
    "no environment": _NO_ENVIRONMENT,
    "input and output closed": _OUTPUT,
}
_WELCOME = {
    "files outside hidden": _NO_READING,
    "temporary folder of its own": _FOLDER,
}


@dataclass(frozen=True)
class Isolation:
    """What this machine has.

    Attributes:
        how: ``namespaces``, ``filter`` (system calls alone), or empty where neither works.
        protections: Whether each protection stopped what it is there to stop.
        problem: Why there is nothing better, in the kernel's words.
    """

    how: str
    protections: dict[str, bool]
    problem: str = ""

    @property
    def missing(self) -> list[str]:
        """Essential protections that this machine does not have."""
        return [name for name in _ESSENTIAL if not self.protections.get(name, False)]


@functools.cache
def isolation() -> Isolation:
    """Tries out what protects this machine from a generated program; once a process.

    Namespaces are taken where the kernel gives them, else the filter of system calls.
    """
    if not sys.platform.startswith("linux"):
        return Isolation("", {}, f"{sys.platform} has neither namespaces nor seccomp")
    problems: list[str] = []
    for how in (NAMESPACES, ALONE):
        tried = try_out(how)
        if not tried.missing:
            return replace(tried, problem="; ".join(problems))
        problems.append(f"{how}: {tried.problem or 'missing ' + ', '.join(tried.missing)}")
    return Isolation("", tried.protections, "; ".join(problems))


def try_out(how: str) -> Isolation:
    """Which protections hold when programs are confined by ``how``."""
    attempts = _ESSENTIAL | _WELCOME
    programs = [
        Program(
            attempt.replace("CALLER", str(os.getpid())).replace("HERE", repr(__file__)),
            "assert f() is True",
        )
        for attempt in attempts.values()
    ]
    outcomes = run_programs(programs, how=how)
    # Without confinement nothing was tried out, and the first outcome says why.
    problems = [one.detail or one.reason for one in outcomes if one.verdict == UNDECIDED]
    protections = {name: outcome.passed for name, outcome in zip(attempts, outcomes, strict=True)}
    return Isolation(how, protections, problems[0] if problems else "")


def require_isolation() -> Isolation:
    """The confinement that programs run in.

    Raises:
        UserError: An essential protection cannot be had here.
    """
    found = isolation()
    if not found.how:
        raise UserError(
            _FIELD,
            f"this machine cannot confine generated code ({found.problem})",
            "use Linux 5.12 or later on x86-64 or Arm, and allow user namespaces or seccomp",
        )
    return found
