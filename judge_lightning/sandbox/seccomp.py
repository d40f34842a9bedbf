"""A filter of system calls, which the kernel applies to a process and all its children.

Written out as BPF, because that needs no library on the user's machine: a row of comparisons
of the call's number, then of single arguments. See seccomp(2) and linux/filter.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from judge_lightning.sandbox import system_calls

_LOAD, _EQUAL, _GREATER, _ANY_BIT, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
"""Offsets in struct seccomp_data; arguments have 8 bytes, the lower half first."""

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_FILTER_MODE = 2
_CLONE_THREAD = 0x00010000
_NEW_NAMESPACES = 0x7E020080
"""CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET."""
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

_Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, operand."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def supported() -> bool:
    """Whether the filter knows this machine's system calls."""
    return os.uname().machine in _ARCHITECTURES


def refuse_system_calls(alone: bool) -> None:
    """Puts the filter on this process, for good.

    Args:
        alone: The filter is all there is (no namespaces): then there are no new processes, no
            signals to others, and nothing can be written to any file.

    Raises:
        OSError: The kernel or the machine has no such filter.
    """
    if not supported():
        raise OSError(errno.ENOSYS, f"no filter for {os.uname().machine}")
    rows = _rows(os.uname().machine, alone)
    code = b"".join(struct.pack("=HBBI", *row) for row in rows)
    libc = ctypes.CDLL(None, use_errno=True)
    program = _Program(len(rows), code)
    for arguments in (
        (_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (_PR_SET_SECCOMP, _FILTER_MODE, ctypes.byref(program), 0, 0),
    ):
        if libc.prctl(*arguments):
            number = ctypes.get_errno()
            raise OSError(number, f"prctl: {os.strerror(number)}")


def _rows(machine: str, alone: bool) -> list[_Instruction]:
    calls = system_calls.numbers(system_calls.BY_ARGUMENT, machine)
    rows: list[_Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, _ARCHITECTURES[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_GREATER, 0, 1, system_calls.NEWEST),
        _refusal(errno.ENOSYS),
    ]
    refused = system_calls.numbers(system_calls.NEVER_NEEDED, machine)
    if alone:
        refused |= system_calls.numbers(system_calls.WITHOUT_NAMESPACES, machine)
    for number in refused.values():
        rows += [(_EQUAL, 0, 1, number), _refusal(errno.EPERM)]
    # Their flags stand in memory, where a filter cannot look: the older calls are used instead.
    for name in ("clone3", "openat2"):
        rows += [(_EQUAL, 0, 1, calls[name]), _refusal(errno.ENOSYS)]
    # Another process's limits; and the signal that ends this one when its parent ends.
    rows += _when(calls["prlimit64"], 0, (_EQUAL, 1, 0, 0), errno.EPERM)
    rows += _when(calls["prctl"], 0, (_EQUAL, 0, 1, _PR_SET_PDEATHSIG), errno.EPERM)
    rows += _when(calls["clone"], 0, (_ANY_BIT, 0, 1, _NEW_NAMESPACES), errno.EPERM)
    if alone:
        rows += _when(calls["clone"], 0, (_ANY_BIT, 1, 0, _CLONE_THREAD), errno.EPERM)
        rows += _when(calls["tgkill"], 0, (_EQUAL, 1, 0, os.getpid()), errno.EPERM)
        rows += _when(calls["openat"], 2, (_ANY_BIT, 0, 1, _WRITING), errno.EROFS)
        if "open" in calls:
            rows += _when(calls["open"], 1, (_ANY_BIT, 0, 1, _WRITING), errno.EROFS)
    return [*rows, (_RETURN, 0, 0, _ALLOW)]


def _when(number: int, argument: int, test: _Instruction, refusal: int) -> list[_Instruction]:
    """Refuses a call where ``test`` of the argument's lower half does not jump over it."""
    return [
        (_EQUAL, 0, 4, number),
        (_LOAD, 0, 0, _ARGUMENTS + 8 * argument),
        test,
        _refusal(refusal),
        (_LOAD, 0, 0, _NUMBER),
    ]


def _refusal(number: int) -> _Instruction:
    return (_RETURN, 0, 0, _ERRNO | number)
