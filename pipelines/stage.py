"""The Stage contract: what a stage tells the pipeline, and what the pipeline gives it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from judge_lightning.crew import Crew
from pipelines.config import RunConfig

T = TypeVar("T")


class Recorder(Protocol):
    """Where a stage's metrics, tables and progress go (tracking implements it)."""

    def metric(self, name: str, value: float, step: int | None = None) -> None:
        """Logs ``<stage>/<name>``; the last value also lands in the manifest."""

    def progress(
        self, items: Iterable[T], *, total: int | None, unit: str, done: int = 0
    ) -> Iterator[T]:
        """Shows one bar with rate and remaining time on a terminal, nothing elsewhere."""

    def lightning_logger(self) -> Any:
        """A Lightning logger that writes into the same run under the stage's name."""


class QuietRecorder:
    """A recorder for a stage that runs by itself: it keeps every metric's last value.

    ``shown`` notes the totals of the progress bars that nobody sees, and what was done before.
    """

    def __init__(self) -> None:
        self.values: dict[str, float] = {}
        self.shown: list[tuple[int | None, int]] = []

    def metric(self, name: str, value: float, step: int | None = None) -> None:
        """Keeps the value."""
        self.values[name] = value

    def progress(
        self, items: Iterable[T], *, total: int | None, unit: str, done: int = 0
    ) -> Iterator[T]:
        """Gives the items and shows nothing."""
        self.shown.append((total, done))
        yield from items

    def lightning_logger(self) -> Any:
        """False: Lightning logs nothing."""
        return False


@dataclass
class StageContext:
    """What a running stage is given.

    ``work`` survives a kill: whatever complete shard a stage finds there it may reuse.
    When ``run`` returns, the files in it (except under ``work/scratch``, which is dropped)
    are hashed and published as the artifact.
    """

    config: RunConfig
    inputs: Mapping[str, Path]
    work: Path
    recorder: Recorder
    volatile: set[str] = field(default_factory=set)
    """Relative names of files that hold timings or hosts and so differ between reruns."""
    crew: Crew | None = None
    """Who carries out the shards of a stage that is ``in_shards``; None: this machine."""


class Stage(ABC):
    """One node of the graph. Holds no algorithm: config in, library call, artifact out."""

    name: ClassVar[str]
    version: ClassVar[int] = 1
    """Raised when the meaning of the stage's output changes."""
    reads: ClassVar[tuple[str, ...]] = ()
    """The stages whose artifacts this one reads, as far as the run has them (``wanted``)."""
    in_shards: ClassVar[bool] = False
    """Whether its work is cut into shards that a crew carries out (``StageContext.crew``)."""

    def wanted(self, config: RunConfig) -> bool:
        """Whether the run has this stage at all; what reads it does without where it has not."""
        return True

    @abstractmethod
    def settings(self, config: RunConfig) -> dict[str, Any]:
        """The part of the configuration that can change the result, as plain JSON values.

        It also holds the fingerprints of what is read from outside the store (model
        weights, data files). It imports nothing heavy: a cached run calls it too.
        """

    def validate(self, config: RunConfig) -> None:  # noqa: B027 (most stages need it, not all)
        """Raises UserError for everything that can be known to be wrong before any work."""

    def disk_bytes(self, config: RunConfig) -> int:
        """A generous estimate of the artifact's size, held against the free disk space."""
        return 32 * 2**20

    @abstractmethod
    def run(self, context: StageContext) -> None:
        """Writes the artifact's files into ``context.work``."""
