"""The machine that a pair shall run on: described in a few words, or the one at hand."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from judge_lightning.errors import UserError

GIB = 2**30
_UNITS = {
    "MB": 10**6, "GB": 10**9, "TB": 10**12, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40,
}  # fmt: skip
_DESCRIPTION = re.compile(r"(?:(\d+)\s*[x×*]\s*)?(\d+(?:\.\d+)?)\s*([kmgt]i?b)", re.IGNORECASE)
_EXAMPLE = 'write it like "8 x 80 GiB" (or "24 GB" for one device)'


@dataclass(frozen=True)
class Machine:
    """Devices that hold weights. ``memory`` is bytes, one number a device.

    ``is_gpu`` False: the one device is the host's memory, which all processes share.
    """

    memory: tuple[int, ...]
    is_gpu: bool

    @property
    def names(self) -> list[str]:
        """How people call the devices: ``GPU 0``, ... or ``RAM``."""
        return [f"GPU {number}" for number in range(len(self.memory))] if self.is_gpu else ["RAM"]

    def describe(self) -> str:
        """The machine as ``parse_machine`` reads it (``8 x 80 GiB``), RAM named as such."""
        sizes = [f"{memory / GIB:.4g} GiB" for memory in self.memory]
        if not self.is_gpu:
            return f"{sizes[0]} of RAM"
        if len(set(sizes)) == 1:
            return f"{len(sizes)} x {sizes[0]}"
        return " + ".join(sizes)

    def first(self, count: int) -> Machine:
        """The part of it that its first ``count`` devices are."""
        return Machine(self.memory[:count], self.is_gpu)


def parse_machine(text: str, *, is_gpu: bool = True) -> Machine:
    """Reads ``8 x 80 GiB``: how many devices, with how much memory each.

    GB is 10^9 bytes, GiB is 2^30. Without a count it is one device.

    Raises:
        UserError: It is written otherwise, has no device or no memory, or describes several
            devices where ``is_gpu`` is False (the host has one memory).
    """
    match = _DESCRIPTION.fullmatch(text.strip())
    unit = _UNITS.get(match[3].upper()) if match else None
    if match is None or unit is None:
        raise UserError("launch.machine", f"{text!r} describes no machine", _EXAMPLE)
    count, memory = int(match[1] or 1), round(float(match[2]) * unit)
    if count < 1 or memory < 1:
        raise UserError("launch.machine", f"{text!r} has no memory", _EXAMPLE)
    if count > 1 and not is_gpu:
        raise UserError(
            "launch.machine",
            f"{text!r} has {count} devices, but engine.device=cpu has one memory",
            'describe the memory alone, like "64 GiB"',
        )
    return Machine((memory,) * count, is_gpu)


def this_machine(device: str = "auto") -> Machine:
    """The GPUs that torch sees, or the host's memory where it sees none.

    What is counted is all memory of a device, not what is free just now: another program may
    have gone when the models are loaded. A container's limit counts as the host's memory.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:<number>``.
    """
    import torch

    if device == "cpu" or not torch.cuda.is_available():
        return Machine((_host_memory(),), is_gpu=False)
    numbers = range(torch.cuda.device_count())
    if device.startswith("cuda:"):
        numbers = range(int(device[5:]), int(device[5:]) + 1)
    return Machine(
        tuple(int(torch.cuda.get_device_properties(n).total_memory) for n in numbers), is_gpu=True
    )


def _host_memory() -> int:
    import psutil

    total = int(psutil.virtual_memory().total)
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # No control group, or "max".
        return total
    return min(total, limit)
