"""Training in several processes: what they share, and starting them.

The first process is the one that asked: its loggers, callbacks and Ctrl-C work as ever. The
others are started for the training alone and end with it.
"""

from __future__ import annotations

import torch
from torch import Tensor, distributed


def mean_over_processes(values: Tensor) -> Tensor:
    """The mean of a tensor over all processes; itself where there is one."""
    if not distributed.is_initialized():
        return values
    total = values.clone()
    distributed.all_reduce(total)
    return total / distributed.get_world_size()


def of_all_processes(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Each tensor with its rows from all processes, first process first."""
    if not distributed.is_initialized():
        return tensors
    gathered: list[tuple[Tensor, ...]] = [()] * distributed.get_world_size()
    distributed.all_gather_object(gathered, tensors)
    return tuple(torch.cat(parts) for parts in zip(*gathered, strict=True))
