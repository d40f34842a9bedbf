"""How many decoding processes run side by side, and on which devices."""

from __future__ import annotations

import os
from collections.abc import Sequence

GPUS_PER_WORKER = 2
"""What a 70B target in 8 bits needs."""


def cpu_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_threads(workers: int) -> int:
    """Torch threads of each of ``workers`` processes, so that they share the cores.

    No more than ``OMP_NUM_THREADS`` says: whoever sets it knows what else the cores have to do.
    """
    share = max(1, cpu_cores() // workers)
    most = os.environ.get("OMP_NUM_THREADS", "")
    return min(share, int(most)) if most.isdecimal() and int(most) else share


def worker_devices(workers: int, gpus: Sequence[str]) -> list[str | None]:
    """One entry per process: the GPUs that it sees, as ``CUDA_VISIBLE_DEVICES``.

    Args:
        workers: 0 takes one per two GPUs, or one per core without GPUs.
        gpus: Ids of the GPUs that may be used; empty decodes on the CPU.
    """
    if not gpus:
        return [None] * (workers or cpu_cores())
    count = min(workers or max(1, len(gpus) // GPUS_PER_WORKER), len(gpus))
    if count == 1:
        return [None]
    share = len(gpus) // count
    return [",".join(gpus[i * share : (i + 1) * share]) for i in range(count)]


def visible_gpus(device: str) -> list[str]:
    """Ids of the GPUs that ``device`` (``auto``, ``cuda``, ``cpu`` ...) lets a run use."""
    import torch

    if device == "cpu" or not torch.cuda.is_available():
        return []
    if device.startswith("cuda:"):
        return [device.removeprefix("cuda:")]
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return named.split(",") if named else [str(i) for i in range(torch.cuda.device_count())]
