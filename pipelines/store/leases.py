"""Locks that need no POSIX locking: a lease object per key, created exclusively and renewed.

A lease is the file ``<folder>/<stage>-<key>/<generation>``. Whoever creates the next generation
holds the key; a thread rewrites it every period. A waiting process watches it by its own clock, and
when nothing was written for ``patience`` periods it creates the generation after. No clock of one
machine is ever compared with that of another.

A holder that was only asleep learns at its next renewal that it has lost the key. It may go on:
the artifacts of a key are the same, and what is published first stays.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from pipelines.store.objects import create_exclusively, names_in, read_whole


@dataclass(frozen=True)
class Pace:
    """How often a lease is renewed and looked at, in seconds, and how many renewals may fail."""

    period: float = 10.0
    patience: int = 6
    poll: float = 2.0

    @property
    def silence(self) -> float:
        """Seconds without a renewal after which the holder counts as dead."""
        return self.period * self.patience


class Leases:
    """The leases below one folder of any file system that fsspec knows."""

    def __init__(self, files: Any, folder: str, pace: Pace | None = None) -> None:
        self._files = files
        self._folder = folder
        self._pace = pace or Pace()

    @contextmanager
    def held(self, stage: str, key: str, on_wait: Callable[[], None]) -> Iterator[None]:
        """Holds a key. ``on_wait`` is called once when another process has it."""
        lease = self._wait_for(stage, key, on_wait)
        try:
            yield
        finally:
            lease.release()

    @contextmanager
    def attempt(self, stage: str, key: str, *, patient: bool = False) -> Iterator[bool]:
        """Holds a key if nobody does; says whether.

        Args:
            patient: Where there is a lease, wait as long as it takes to know whether its holder
                still lives.
        """
        folder = self._folder_of(stage, key)
        first = seen = _newest(self._files, folder)
        since = time.monotonic()
        while patient and seen == first is not None:
            if time.monotonic() - since > self._pace.silence:
                break
            time.sleep(self._pace.poll)
            seen = _newest(self._files, folder)
        free = seen is None or (patient and seen == first)
        generation = 1 if seen is None else seen.generation + 1
        lease = self._created(folder, generation, stage, key) if free else None
        try:
            yield lease is not None
        finally:
            if lease is not None:
                lease.release()

    def holder(self, stage: str, key: str) -> str | None:
        """Host and process of whoever holds a key, dead or alive."""
        newest = _newest(self._files, self._folder_of(stage, key))
        return None if newest is None else newest.holder

    def _folder_of(self, stage: str, key: str) -> str:
        return f"{self._folder}/{stage}-{key}"

    def _wait_for(self, stage: str, key: str, on_wait: Callable[[], None]) -> Lease:
        folder = self._folder_of(stage, key)
        seen: _Seen | None = None
        since = answered = time.monotonic()
        told = False
        while True:
            try:
                newest = _newest(self._files, folder)
            except Exception:
                # Hours may have been waited: one answer that is missing ends nothing.
                if not told or time.monotonic() - answered > self._pace.silence:
                    raise
                time.sleep(self._pace.poll)
                continue
            answered = time.monotonic()
            if newest != seen:
                seen, since = newest, time.monotonic()
            silent = seen is not None and time.monotonic() - since > self._pace.silence
            if seen is None or silent:
                generation = 1 if seen is None else seen.generation + 1
                if lease := self._created(folder, generation, stage, key):
                    if seen is not None:
                        _say(
                            f"{stage}/{key[:8]}: {seen.holder} was not heard for"
                            f" {self._pace.silence:.0f} s; taken over"
                        )
                    return lease
                continue
            if not told:
                told = True
                on_wait()
                _say(f"{stage}/{key[:8]}: {seen.holder} has it")
            time.sleep(self._pace.poll)

    def _created(self, folder: str, generation: int, stage: str, key: str) -> Lease | None:
        lease = Lease(self._files, folder, generation, f"{stage}/{key[:8]}", self._pace)
        return lease if lease.create() else None


class Lease:
    """One generation of a key's lease, held by this process."""

    def __init__(self, files: Any, folder: str, generation: int, name: str, pace: Pace) -> None:
        self._files = files
        self._folder = folder
        self._generation = generation
        self._name = name
        self._pace = pace
        self._token = uuid.uuid4().hex
        self._stop = threading.Event()
        self._lost = False
        self._thread = threading.Thread(target=self._renew, name=f"lease {name}", daemon=True)

    def create(self) -> bool:
        """Takes the key if this generation is still free, and begins to renew it."""
        if not create_exclusively(self._files, self._path, self._content(0)):
            return False
        newest = _newest(self._files, self._folder)
        # Where a store does not know exclusive creation, the last one to write is believed.
        if newest is None or newest.generation != self._generation or newest.token != self._token:
            return False
        self._thread.start()
        return True

    def release(self) -> None:
        """Gives the key back. What cannot be deleted falls silent and is taken over."""
        self._stop.set()
        self._thread.join()
        if self._lost:
            return
        with suppress(Exception):
            for name in names_in(self._files, self._folder):
                if name.isdigit() and int(name) <= self._generation:
                    self._files.rm_file(f"{self._folder}/{name}")

    @property
    def _path(self) -> str:
        return f"{self._folder}/{self._generation:06d}"

    def _content(self, count: int) -> bytes:
        row = {"host": socket.gethostname(), "pid": os.getpid(), "token": self._token}
        return json.dumps({**row, "count": count}).encode()

    def _renew(self) -> None:
        count = 0
        while not self._stop.wait(self._pace.period):
            count += 1
            # A store that does not answer now may do so at the next renewal.
            with suppress(Exception):
                newest = _newest(self._files, self._folder)
                if newest is None or newest.token == self._token:
                    self._files.pipe_file(self._path, self._content(count))
                elif newest.generation >= self._generation and newest.token:
                    self._lost = True
                    _say(f"{self._name}: {newest.holder} has taken it over; this process goes on")
                    return


@dataclass(frozen=True)
class _Seen:
    """A lease as another process finds it."""

    generation: int
    content: bytes

    @property
    def token(self) -> str:
        return str(self._row.get("token", ""))

    @property
    def holder(self) -> str:
        return f"process {self._row.get('pid', '?')} on {self._row.get('host', '?')}"

    @property
    def _row(self) -> dict[str, Any]:
        try:
            row = json.loads(self.content)
        except ValueError:
            return {}  # Read while it was written.
        return row if isinstance(row, dict) else {}


def _newest(files: Any, folder: str) -> _Seen | None:
    generations = [int(name) for name in names_in(files, folder) if name.isdigit()]
    if not generations:
        return None
    newest = max(generations)
    try:
        return _Seen(newest, read_whole(files, f"{folder}/{newest:06d}"))
    except FileNotFoundError:
        return None


def _say(line: str) -> None:
    print(f"note: {line}", file=sys.stderr, flush=True)
