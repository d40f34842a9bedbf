"""Portions of work done by several processes side by side, each with its own devices."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

from judge_lightning.parent_process import follow_parent


def run_side_by_side(
    open_bench: Callable[[], Any], portions: Sequence[Any], devices: Sequence[str | None]
) -> Iterator[int]:
    """Does the portions; yields what each one's ``decode`` returns, as they are finished.

    Args:
        open_bench: Loads what a portion's ``decode`` is given, once in every process; picklable.
        devices: One process per entry, which sees only those CUDA devices
            (``CUDA_VISIBLE_DEVICES``; None leaves them as they are).
    """
    context = multiprocessing.get_context("spawn")
    free_devices = context.Queue()
    for device in devices:
        free_devices.put(device)
    pool = ProcessPoolExecutor(
        max_workers=len(devices),
        mp_context=context,
        initializer=_start_worker,
        initargs=(open_bench, free_devices),
    )
    try:
        for future in as_completed([pool.submit(_do, portion) for portion in portions]):
            yield future.result()
    except BaseException:
        _stop(pool)
        raise
    # Workers that leave by themselves tidy up what the compiler left behind.
    pool.shutdown(wait=True)


def _stop(pool: ProcessPoolExecutor) -> None:
    """Ends the pool without waiting for portions that nobody will use any more."""
    processes = list((getattr(pool, "_processes", None) or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()


_benches: list[Any] = []
"""A worker's own bench, from its start on."""


def _start_worker(open_bench: Callable[[], Any], free_devices: Any) -> None:
    follow_parent()
    device = free_devices.get()
    if device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = device
    _benches.append(open_bench())


def _do(portion: Any) -> int:
    return int(portion.decode(_benches[0]))
