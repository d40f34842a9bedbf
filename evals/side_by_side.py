"""Shards done by several processes of this machine side by side, each with its own devices."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, TypeVar

from judge_lightning.crew import Alone, Shard
from judge_lightning.parent_process import follow_parent

LOOK_SECONDS = 0.5
"""How often is looked at what the processes have done."""

B = TypeVar("B")


@dataclass(frozen=True)
class SideBySide:
    """A crew of processes on this machine; one alone is this process.

    Attributes:
        devices: One process per entry, which sees only those CUDA devices
            (``CUDA_VISIBLE_DEVICES``; None leaves them as they are).
    """

    devices: Sequence[str | None]

    def carry_out(self, open_bench: Callable[[], B], shards: Iterable[Shard[B]]) -> Iterator[None]:
        """As ``Crew`` says; yields within ``LOOK_SECONDS``."""
        listed = list(shards)
        workers = min(len(self.devices), len(listed))
        if workers > 1:
            return _run_side_by_side(open_bench, listed, self.devices[:workers])
        return Alone().carry_out(open_bench, listed)


def _run_side_by_side(
    open_bench: Callable[[], B], shards: Sequence[Shard[B]], devices: Sequence[str | None]
) -> Iterator[None]:
    context = multiprocessing.get_context("spawn")
    seats = context.Queue()
    for seat in enumerate(devices):
        seats.put(seat)
    # One number a process, which nobody else writes: a process that is killed leaves no lock.
    done = context.RawArray("q", len(devices))
    pool = ProcessPoolExecutor(
        max_workers=len(devices),
        mp_context=context,
        initializer=_start_worker,
        initargs=(open_bench, seats, done),
    )
    try:
        pending = {pool.submit(_do, shard) for shard in shards}
        yield from _counted(pending, done)
    except BaseException:
        _stop(pool)
        raise
    # Workers that leave by themselves tidy up what the compiler left behind.
    pool.shutdown(wait=True)


def _counted(pending: set[Future[None]], done: Sequence[int]) -> Iterator[None]:
    """Yields for everything that is counted in ``done`` until nothing is pending.

    Raises:
        Exception: What a shard raised.
    """
    told = 0
    while pending:
        finished, pending = wait(pending, LOOK_SECONDS, FIRST_COMPLETED)
        for future in finished:
            future.result()
        count = sum(done)
        yield from [None] * (count - told)
        told = count


def _stop(pool: ProcessPoolExecutor) -> None:
    """Ends the pool without waiting for shards that nobody will use any more."""
    processes = list((getattr(pool, "_processes", None) or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()


@dataclass(frozen=True)
class _Worker:
    """What a process has from its start on: its bench, and where it counts what it does."""

    bench: Any
    done: Any
    seat: int


_worker: list[_Worker] = []


def _start_worker(open_bench: Callable[[], Any], seats: Any, done: Any) -> None:
    follow_parent()
    seat, device = seats.get()
    if device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = device
    _worker.append(_Worker(open_bench(), done, seat))


def _do(shard: Shard[Any]) -> None:
    worker = _worker[0]
    for _ in shard.do(worker.bench):
        worker.done[worker.seat] += 1
