"""How much memory a run took, with all the processes that it started."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

import psutil

INTERVAL_SECONDS = 0.5


class MemoryWatch:
    """Looks every ``INTERVAL_SECONDS`` at what this process and its descendants hold.

    ``peak`` is the largest sum of resident bytes that was seen. Pages that processes share
    are counted in each of them, so it is an upper bound.
    """

    def __init__(self) -> None:
        self.peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory-watch", daemon=True)

    def __enter__(self) -> Self:
        self.look()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self.look()

    def look(self) -> None:
        """Takes one sample now."""
        me = psutil.Process()
        self.peak = max(self.peak, sum(map(_resident, [me, *me.children(recursive=True)])))

    def _watch(self) -> None:
        while not self._stop.wait(INTERVAL_SECONDS):
            self.look()


def _resident(process: psutil.Process) -> int:
    """Resident bytes, 0 for a process that has ended in the meantime."""
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
