"""Work in shards: what a shard is, who carries shards out, and a crew of one, this process.

A stage says what its shards are and what is needed to do one (a *bench*: loaded models and the
like). Who does them, in which order and how many at a time, is the crew's matter, and must not
change a byte of what is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar
from uuid import uuid4

B = TypeVar("B")
B_contra = TypeVar("B_contra", contravariant=True)


class Shard(Protocol[B_contra]):
    """What is written, resumed and tried again as a whole; picklable.

    It is complete when its last file is there, and every file gets its name when it is whole
    (``beside``): doing it twice, even at the same time, changes nothing.
    """

    @property
    def name(self) -> str:
        """What it is called where something is said about it."""

    def do(self, bench: B_contra) -> Iterator[None]:
        """Does and writes all of it; yields as often as progress counts, once at least."""


class Crew(Protocol):
    """Who carries shards out."""

    def carry_out(self, open_bench: Callable[[], B], shards: Iterable[Shard[B]]) -> Iterator[None]:
        """Does all shards; yields as often as their ``do`` does, when it is known.

        Args:
            open_bench: Makes what the shards need, once for everybody who does some of them, and
                not at all where there are none; picklable.
            shards: Read as they are given out, so that a long list need not be in memory.

        Raises:
            Exception: What a shard or the bench raised.
        """


class Alone:
    """This process does all shards, one after the other."""

    def carry_out(self, open_bench: Callable[[], B], shards: Iterable[Shard[B]]) -> Iterator[None]:
        """As ``Crew`` says; yields at once."""
        bench: B | None = None
        for shard in shards:
            if bench is None:
                bench = open_bench()
            yield from shard.do(bench)


def beside(path: Path) -> Path:
    """A hidden name beside ``path`` to write to before renaming.

    No two calls give the same, on whatever machines: a worker that was given up may still write
    the shard that another one writes again.
    """
    return path.with_name(f".{path.name}.{uuid4().hex}")
