"""Portions of work done by several processes side by side, each with its own devices."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from judge_lightning.parent_process import follow_parent

LOOK_SECONDS = 0.5
"""How often is looked at what the processes have done."""


def run_side_by_side(
    open_bench: Callable[[], Any], portions: Sequence[Any], devices: Sequence[str | None]
) -> Iterator[None]:
    """Does the portions; yields as often as their ``decode`` does, within ``LOOK_SECONDS``.

    Args:
        open_bench: Loads what a portion's ``decode`` is given, once in every process; picklable.
        devices: One process per entry, which sees only those CUDA devices
            (``CUDA_VISIBLE_DEVICES``; None leaves them as they are).
    """
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
        pending = {pool.submit(_do, portion) for portion in portions}
        yield from _counted(pending, done)
    except BaseException:
        _stop(pool)
        raise
    # Workers that leave by themselves tidy up what the compiler left behind.
    pool.shutdown(wait=True)


def _counted(pending: set[Future[None]], done: Sequence[int]) -> Iterator[None]:
    """Yields for everything that is counted in ``done`` until nothing is pending.

    Raises:
        Exception: What a portion raised.
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
    """Ends the pool without waiting for portions that nobody will use any more."""
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


def _do(portion: Any) -> None:
    worker = _worker[0]
    for _ in portion.decode(worker.bench):
        worker.done[worker.seat] += 1
