"""Hides files from a process where there are no namespaces to do it: see landlock(7).

Linux 5.13 and later, where the machine's boot did not leave it out.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_PATH_BENEATH = 1
_EXECUTE, _READ_FILE, _READ_FOLDER = 1 << 0, 1 << 2, 1 << 3
_EVERYTHING = (1 << 13) - 1
"""All that the first version knows: reading and writing, making and removing."""
_PR_SET_NO_NEW_PRIVS = 38


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def hide_all_but(paths: Iterable[str]) -> None:
    """From now on this process can open what lies under ``paths``, for reading, and no more.

    Raises:
        OSError: The kernel has no Landlock.
    """
    handled = ctypes.c_uint64(_EVERYTHING)
    rules = _call(_CREATE, ctypes.byref(handled), ctypes.c_size_t(8), 0)
    for path in paths:
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        allowed = _EXECUTE | _READ_FILE | (_READ_FOLDER if os.path.isdir(path) else 0)  # noqa: PTH112
        beneath = _Beneath(allowed, place)
        _call(_ADD, rules, _PATH_BENEATH, ctypes.byref(beneath), 0)
        os.close(place)
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _call(_RESTRICT, rules, 0)
    os.close(rules)


def _call(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    result: int = libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"landlock: {os.strerror(ctypes.get_errno())}")
    return result
