"""One writer per key on a file system: by the system's locks, or by leases where it has none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import psutil
from filelock import FileLock, Timeout

from judge_lightning.errors import UserError
from pipelines.store.leases import Leases, Pace
from pipelines.store.objects import open_files

_POLL_SECONDS = 0.2
KINDS = ("auto", "posix", "lease")


class KeyLocks(Protocol):
    """The exclusive right to write a key, across processes."""

    def held(
        self, stage: str, key: str, on_wait: Callable[[], None]
    ) -> AbstractContextManager[None]:
        """Holds a key. ``on_wait`` is called once when another process has it."""

    def attempt(
        self, stage: str, key: str, *, patient: bool = False
    ) -> AbstractContextManager[bool]:
        """Holds a key if nobody does; says whether.

        Args:
            patient: Find out first whether a holder still lives, where that takes time.
        """


class FileLocks:
    """The system's own locks, on one file a key. They end with their process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def held(self, stage: str, key: str, on_wait: Callable[[], None]) -> Iterator[None]:
        """Holds a key. ``on_wait`` is called once when another process has it."""
        lock = self._lock(stage, key)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            on_wait()
            lock.acquire(poll_interval=_POLL_SECONDS)
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def attempt(self, stage: str, key: str, *, patient: bool = False) -> Iterator[bool]:
        """Holds a key if nobody does; says whether. The system knows who lives."""
        lock = self._lock(stage, key)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def _lock(self, stage: str, key: str) -> FileLock:
        self._folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self._folder / f"{stage}-{key}.lock")


def key_locks(root: Path, kind: str = "auto", pace: Pace | None = None) -> KeyLocks:
    """The locks of the store in ``root``.

    Args:
        kind: ``posix``, ``lease``, or ``auto``: leases where the system says that its locks do not
            reach other machines, or where there are leases already.

    Raises:
        UserError: There is no such kind.
    """
    if kind not in KINDS:
        raise UserError(
            "artifacts_locks", f"there is no '{kind}'", f"choose one of: {', '.join(KINDS)}"
        )
    folder = root / ".locks"
    leases = folder.absolute() / "leases"
    # Who looks after the store, as gc does, must not lock otherwise than those who write there.
    if kind == "lease" or (kind == "auto" and (leases.is_dir() or without_shared_locks(root))):
        return Leases(open_files("file"), str(leases), pace)
    return FileLocks(folder)


def without_shared_locks(folder: Path) -> bool:
    """Whether ``folder`` is on a network file system whose locks end at this machine's border.

    Read from the mount's type and options: NFS with ``nolock`` or ``local_lock=flock|all``, Lustre
    without ``flock``. Trying a lock would not tell: it succeeds, for this machine alone.
    """
    absolute = folder.expanduser().absolute()
    mounts = [m for m in psutil.disk_partitions(all=True) if absolute.is_relative_to(m.mountpoint)]
    if not mounts:
        return False
    mount = max(mounts, key=lambda m: len(m.mountpoint))
    return lacks_shared_locks(mount.fstype, mount.opts)


def lacks_shared_locks(kind: str, options: str) -> bool:
    """``without_shared_locks`` of a mount of a type, with comma-separated options."""
    given = set(options.split(","))
    if kind.startswith("nfs"):
        return bool(given & {"nolock", "local_lock=all", "local_lock=flock"})
    if kind == "lustre":
        return "flock" not in given
    return False
