"""A view of the machine with nothing in it but Python: mount, process and network namespaces.

As root the namespaces are made directly, and root is given up afterwards; without it they are
made inside a user namespace. See namespaces(7), user_namespaces(7) and pivot_root(2).
"""

from __future__ import annotations

import ctypes
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER = 0x00020000, 0x04000000, 0x08000000, 0x10000000
_NEWPID, _NEWNET = 0x20000000, 0x40000000
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18
_MNT_DETACH = 2
_MOUNT_SETATTR = 442
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_READ_ONLY, _NO_SUID = 1, 2
"""MOUNT_ATTR_RDONLY and MOUNT_ATTR_NOSUID."""
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

_PR_CAPBSET_DROP = 24
_CAPABILITIES = 64
_CAPABILITY_VERSION = 0x20080522

_NOBODY = 65534
_PRIVATE_IDS = range(1 << 20, 1 << 30)
"""Numbers that no user has, so that a limit on processes counts this program's own."""

_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/nix/store", "/etc/ld.so.cache")
_BASE = "/tmp"
"""A folder that every machine has: the new root is built over it, out of the old one's sight."""


class Namespaces:
    """Who the program is once inside: entered with ``enter``, sealed with ``seal``."""

    def __init__(self) -> None:
        self.root = os.geteuid() == 0
        self.user, self.group = os.geteuid(), os.getegid()
        if self.root:
            self.user = self.group = _unused_id()

    def enter(self, folder_bytes: int) -> None:
        """Moves this process into new namespaces; children are in the new process namespace.

        Args:
            folder_bytes: Size of the private temporary folder, which is the working folder.

        Raises:
            OSError: The kernel does not allow it.
        """
        flags = _NEWNS | _NEWPID | _NEWNET | _NEWIPC | _NEWUTS
        if self.root:
            _call("unshare", flags)
        else:
            _call("unshare", flags | _NEWUSER)
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{self.user} {self.user} 1")
            Path("/proc/self/gid_map").write_text(f"{self.group} {self.group} 1")
        _build_root(f"mode=700,size={folder_bytes},nr_inodes=1024,uid={self.user},gid={self.group}")

    def seal(self) -> None:
        """Gives up root, where that was who built the view."""
        if self.root:
            os.setgroups([])
            os.setresgid(self.group, self.group, self.group)
            os.setresuid(self.user, self.user, self.user)


def drop_capabilities() -> None:
    """Gives up every privilege of this process, and what a program file could give it back."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in range(_CAPABILITIES):
        # Refused for numbers that the kernel does not have, and where there is none to drop.
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    _call("capset", header, (ctypes.c_uint32 * 6)())


def _unused_id() -> int:
    # Inside a container root may own a few numbers only.
    wanted = random.SystemRandom().choice(_PRIVATE_IDS)
    for line in Path("/proc/self/uid_map").read_text().splitlines():
        first, _, count = map(int, line.split())
        if first <= wanted < first + count:
            return wanted
    return _NOBODY


def _build_root(folder_options: str) -> None:
    """Puts a tmpfs in the place of ``/`` and binds into it, read-only, what Python needs."""
    interpreter = _interpreter()
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    _mount("tmpfs", _BASE, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=755,size=1m")
    new, old = f"{_BASE}/new", f"{_BASE}/old"
    Path(new).mkdir()
    Path(old).mkdir()
    _pivot_root(_BASE, old)
    # From here the old tree is /old, whole: the folder that was built over is uncovered again.
    _mount("tmpfs", "/new", "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=755,size=1m")
    for path, real in _needed(interpreter):
        _bind(path, real)
    Path("/new/tmp").mkdir(exist_ok=True)
    Path("/new/old").mkdir()
    os.chdir("/new")
    _pivot_root(".", "old")
    os.chdir("/")
    _call("umount2", b"/old", _MNT_DETACH)
    Path("/old").rmdir()
    _restrict("/", _READ_ONLY | _NO_SUID)
    _mount("tmpfs", "/tmp", "tmpfs", _MS_NOSUID | _MS_NODEV, folder_options)
    os.chdir("/tmp")


def visible_paths() -> list[str]:
    """Everything outside that a confined program may read."""
    return [*_SYSTEM, *_interpreter().values(), *_DEVICES]


def _interpreter() -> dict[str, str]:
    """Where the interpreter and its library are looked for, and where they really lie."""
    folders = [sys.base_prefix, sys.base_exec_prefix, str(Path(os.__file__).parent)]
    return {folder: str(Path(folder).resolve()) for folder in folders}


def _needed(interpreter: dict[str, str]) -> Iterator[tuple[str, str]]:
    """What is visible inside, and what is to be seen there."""
    seen: list[str] = []
    everything = dict.fromkeys(_SYSTEM) | interpreter | dict.fromkeys(_DEVICES)
    for path, real in everything.items():
        inside_another = any(path == other or path.startswith(f"{other}/") for other in seen)
        if not inside_another and os.path.lexists(f"/old{real or path}"):
            seen.append(path)
            yield path, real or path


def _bind(path: str, real: str) -> None:
    source, place = Path(f"/old{real}"), Path(f"/new{path}")
    place.parent.mkdir(parents=True, exist_ok=True)
    if source.is_symlink():
        place.symlink_to(source.readlink())
        return
    if source.is_dir():
        place.mkdir(exist_ok=True)
    else:
        place.touch()
    _mount(str(source), str(place), None, _MS_BIND | _MS_REC)


def _mount(source: str, place: str, kind: str | None, flags: int, options: str = "") -> None:
    _call(
        "mount",
        source.encode(),
        place.encode(),
        None if kind is None else kind.encode(),
        ctypes.c_ulong(flags),
        options.encode(),
    )


def _pivot_root(new: str, old: str) -> None:
    machine = os.uname().machine
    if machine not in _PIVOT_ROOT:
        raise OSError(f"unknown machine {machine}")
    _call("syscall", ctypes.c_long(_PIVOT_ROOT[machine]), new.encode(), old.encode())


def _restrict(path: str, attributes: int) -> None:
    """Restricts the mount at ``path`` and all below it."""
    structure = (ctypes.c_uint64 * 4)(attributes, 0, 0, 0)
    _call(
        "syscall",
        ctypes.c_long(_MOUNT_SETATTR),
        ctypes.c_long(_AT_FDCWD),
        path.encode(),
        ctypes.c_long(_AT_RECURSIVE),
        structure,
        ctypes.c_long(ctypes.sizeof(structure)),
    )


def _call(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
