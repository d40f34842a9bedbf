"""Peak memory of a part of a benchmark."""

from __future__ import annotations

import gc
from pathlib import Path

import torch

_PROCESS = Path("/proc/self")


def reset_peak(device: torch.device) -> None:
    """The next ``peak_bytes`` counts from here on; frees what is no longer used before."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        # Linux's way to forget the highest resident size.
        (_PROCESS / "clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def peak_bytes(device: torch.device) -> int | None:
    """Most bytes since ``reset_peak``: a GPU's tensors, or the process's resident memory.

    None where the system does not tell.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        lines = (_PROCESS / "status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    kilobytes = next((line.split()[1] for line in lines if line.startswith("VmHWM")), None)
    return None if kilobytes is None else 1024 * int(kilobytes)
