"""Training in several processes: starting them, and what they tell each other.

The process that asked is the first of them: its loggers, callbacks and Ctrl-C work as ever. The
others are started for one training and end with it, or with the first one.
"""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

import torch
from lightning.fabric.plugins.environments import LightningEnvironment
from torch import Tensor, distributed

from judge_lightning.parent_process import follow_parent

T = TypeVar("T")
_PATIENCE = timedelta(minutes=10)
"""How long a process waits for another that is still at work: its shards may be slow to read."""


@dataclass(frozen=True)
class Place:
    """A process's ``rank`` among ``processes``, and the file through which they find each other."""

    rank: int
    processes: int
    meeting: Path

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Waits for the others; inside, the functions below speak to them."""
        distributed.init_process_group(
            "gloo",
            init_method=self.meeting.absolute().as_uri(),
            rank=self.rank,
            world_size=self.processes,
            timeout=_PATIENCE,
        )
        try:
            yield
        finally:
            distributed.destroy_process_group()


class KnownRank(LightningEnvironment):
    """Tells Lightning that its processes run already, and which of them this is."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self._place = place

    @property
    def creates_processes_externally(self) -> bool:
        """True: Lightning starts none."""
        return True

    def local_rank(self) -> int:
        """The process's number on this machine, which is the only one."""
        return self._place.rank


@contextmanager
def side_by_side(processes: int, work: Callable[[Place], object]) -> Iterator[Place]:
    """Runs ``work`` in ``processes - 1`` new processes beside the caller, who is the first.

    The processor's threads are shared out among them. When the caller fails, the others are
    ended; when one of them fails, whoever waits for it raises RuntimeError.

    Args:
        work: Called with its place, in a process that has imported the program afresh: it and
            all that it holds must be picklable.
    """
    threads = torch.get_num_threads()
    each = max(1, threads // processes)
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="judge-processes-") as folder:
        meeting = Path(folder) / "meeting"
        others, ready = [], []
        for rank in range(1, processes):
            receiver, sender = context.Pipe(duplex=False)
            place = Place(rank, processes, meeting)
            other = context.Process(
                target=_work_beside, args=(work, place, each, sender), daemon=True
            )
            other.start()
            sender.close()
            others.append(other)
            ready.append(receiver)
        torch.set_num_threads(each)
        try:
            for receiver in ready:
                _wait_for(receiver)
            with Place(0, processes, meeting).joined():
                yield Place(0, processes, meeting)
                for other in others:
                    other.join()
        finally:
            torch.set_num_threads(threads)
            for other in others:
                other.terminate()
                other.join()


def _wait_for(ready: Connection) -> None:
    try:
        ready.recv()
    except EOFError:
        raise RuntimeError("a process beside this one ended before the training began") from None


def _work_beside(
    work: Callable[[Place], object], place: Place, threads: int, ready: Connection
) -> None:
    follow_parent()
    torch.set_num_threads(threads)
    ready.send(True)
    with place.joined():
        work(place)


def from_first_process(compute: Callable[[], T]) -> T:
    """What ``compute`` returns, computed by the first process alone and given to all."""
    if not distributed.is_initialized():
        return compute()
    shared: list[Any] = [compute() if distributed.get_rank() == 0 else None]
    distributed.broadcast_object_list(shared)
    result: T = shared[0]
    return result


def mean_over_processes(values: Tensor) -> Tensor:
    """The mean of a tensor over all processes; itself where there is one."""
    if not distributed.is_initialized():
        return values
    total = values.clone()
    distributed.all_reduce(total)
    return total / distributed.get_world_size()


def of_all_processes(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Each tensor with its rows from all processes, the first process's first."""
    if not distributed.is_initialized():
        return tensors
    gathered: list[tuple[Tensor, ...]] = [()] * distributed.get_world_size()
    distributed.all_gather_object(gathered, tensors)
    return tuple(torch.cat(parts) for parts in zip(*gathered, strict=True))
