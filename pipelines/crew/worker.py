"""A replica on a node of the cluster: it keeps its loaded models from shard to shard."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from judge_lightning.crew import Shard
from judge_lightning.errors import UserError


@dataclass(frozen=True)
class Surroundings:
    """What a replica takes over from the process that hires it."""

    folder: str
    variables: Mapping[str, str]
    threads: int


@dataclass(frozen=True)
class Outcome:
    """What became of a call, in a form that arrives whatever was raised.

    Attributes:
        units: How often the shard counted in its progress.
        seconds: What it took, where it was done.
        mistake: The user's, as it was raised.
        failure: Anything else, in one line, with its ``trace``.
    """

    units: int = 0
    seconds: float = 0.0
    mistake: UserError | None = None
    failure: str = ""
    trace: str = ""


class Replica:
    """Opens a bench once, and does shards with it, one after the other."""

    def __init__(self, surroundings: Surroundings, open_bench: Callable[[], Any]) -> None:
        os.chdir(surroundings.folder)
        os.environ.update(surroundings.variables)
        os.environ["OMP_NUM_THREADS"] = str(surroundings.threads)
        self._open_bench = open_bench
        self._bench: Any = None

    def arrive(self) -> None:
        """Returns when the replica has found room on a node."""

    def open(self) -> Outcome:
        """Makes the bench."""

        def work() -> int:
            self._bench = self._open_bench()
            return 0

        return _outcome(work)

    def do(self, shard: Shard[Any]) -> Outcome:
        """Does and writes one shard."""
        return _outcome(lambda: sum(1 for _ in shard.do(self._bench)))


def _outcome(work: Callable[[], int]) -> Outcome:
    began = time.perf_counter()
    try:
        return Outcome(units=work(), seconds=time.perf_counter() - began)
    except UserError as mistake:
        return Outcome(mistake=mistake)
    except Exception as error:
        said = (str(error).strip().splitlines() or [""])[0]
        failure = f"{type(error).__name__}: {said}"
        return Outcome(failure=failure, trace=traceback.format_exc())
