"""Where the time goes in a cycle: four marks each, read when the answer is complete.

On the CPU a mark is a look at the clock. On a GPU it is a CUDA event in the stream of the target's
first device: recording one waits for nothing, and the events are read after the last cycle, whose
verdict has waited for the device. A part then is the time that the device took, from the end of
the part before it. Elsewhere (MPS, XPU) the host's clock would show a pass's launch, not the pass,
so cycles there have no parts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from time import perf_counter
from typing import Any

import torch

from judge_lightning.decoding.trace import Cycle, CycleParts

MARKS = 4
"""A cycle's: before the draft, after it, after the target's pass, after the verdict."""


class CycleClock:
    """Marks the parts of each cycle.

    Args:
        device: The target's, whose stream all parts of a cycle end in.
    """

    def __init__(self, device: torch.device) -> None:
        self._marks: list[Any] = []
        self._look = _look_of(device)

    def mark(self) -> None:
        """The next part begins, or the last one has ended. Waits for nothing."""
        if self._look is not None:
            self._marks.append(self._look())

    def share_out(self, cycles: Sequence[Cycle]) -> None:
        """Gives the cycles, all of those that were marked, their parts."""
        if self._look is None:
            return
        for number, cycle in enumerate(cycles):
            marks = self._marks[number * MARKS : (number + 1) * MARKS]
            cycle.parts = CycleParts(*(_seconds(*ends) for ends in pairwise(marks)))


def _look_of(device: torch.device) -> Callable[[], Any] | None:
    if device.type == "cpu":
        return perf_counter
    if device.type != "cuda":
        return None
    stream = torch.cuda.current_stream(device)

    def record() -> torch.cuda.Event:
        event = torch.cuda.Event(enable_timing=True)
        event.record(stream)
        return event

    return record


def _seconds(start: Any, end: Any) -> float:
    if isinstance(start, float):
        return float(end - start)
    end.synchronize()  # The last one may still be on its way.
    return float(start.elapsed_time(end)) / 1000
