"""A thread that makes W&B's calls, in order, so that a slow server never holds a stage up."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Event, Thread

Call = Callable[[], object]


class Courier:
    """Makes the calls that it is given one after the other, in a thread of its own.

    Args:
        on_failure: Gets the exception of the first call that fails or leaves the interpreter.
            Those after it are made all the same, and are silent.
    """

    def __init__(self, on_failure: Callable[[BaseException], object]) -> None:
        self._on_failure = on_failure
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        self._failed = False
        self._abandoned = Event()
        self._thread = Thread(target=self._work, name="wandb", daemon=True)
        self._thread.start()

    def send(self, call: Call) -> None:
        """Has it made after all that were sent before. Returns at once."""
        self._calls.put(call)

    def close(self, seconds: float, last: Call = lambda: None) -> bool:
        """Waits until every call was made, ``last`` at the end; False where that takes longer.

        Then the call that is being made is left to a thread that does not keep the process alive,
        and those behind it are not made: they would be made in what comes after.
        """
        self._calls.put(last)
        self._calls.put(None)
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._abandoned.set()
        return not self.abandoned

    @property
    def abandoned(self) -> bool:
        """Whether it was closed before every call was made."""
        return self._abandoned.is_set()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None and not self.abandoned:
            try:
                call()
            except (Exception, SystemExit) as error:
                if not self._failed:
                    self._failed = True
                    self._on_failure(error)
