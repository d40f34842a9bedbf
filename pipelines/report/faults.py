"""What of a run could not be read or shown: a page says so at its top, and shows the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

_OURS = ("pipelines", "evals", "judge_lightning")
"""Whose errors are worded for readers already."""


class AbsentError(Exception):
    """A section has nothing to show: what it is made of was not there."""


class Faults:
    """Collects what is missing.

    A stage's inputs are whole, so that there every fault is raised (``strict``); a run folder that
    is looked at again may be incomplete, of an older version or damaged.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self._strict = strict
        self._lines: list[str] = []
        self._hidden: list[str] = []

    @property
    def lines(self) -> list[str]:
        """One line for each fault, and one that names the sections that are not shown for it."""
        hidden = [f"Not shown: {'; '.join(self._hidden)}."] if self._hidden else []
        return [*dict.fromkeys(self._lines), *hidden]

    def add(self, what: str, reason: str) -> None:
        """Notes a fault."""
        self._lines.append(f"{what}: {' '.join(reason.split())}.")

    @contextmanager
    def reading(self, what: str) -> Iterator[None]:
        """Notes an exception inside; what was to be read keeps the value that it had."""
        try:
            yield
        except Exception as error:
            if self._strict:
                raise
            self.add(what, _reason(error))

    def shown(self, title: str, render: Callable[[], T]) -> T | None:
        """What ``render`` gives; None, and the section's title noted, where it cannot."""
        try:
            return render()
        except AbsentError:
            if self._strict:
                raise
        except Exception as error:
            if self._strict:
                raise
            self.add(title, _reason(error))
        self._hidden.append(title)
        return None


def _reason(error: Exception) -> str:
    """An exception in a reader's words."""
    if isinstance(error, FileNotFoundError):
        return f"{error.filename} is missing" if error.filename else str(error)
    if isinstance(error, KeyError):
        return f"the field {error} is missing"
    if type(error).__module__.split(".")[0] in _OURS:
        return str(error)
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
