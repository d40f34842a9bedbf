"""The times between a decoder's cycles, read off any clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel

from benchmarks.measuring import Clock
from judge_lightning.decoding.draft_length import Pace
from judge_lightning.decoding.engine import Engine, Roles
from judge_lightning.decoding.request import Request


class StampedEngine:
    """An engine that notes when each cycle of the current answer began."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine: Any = engine
        self._clock = clock
        self._stamps: list[float] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    @property
    def seconds(self) -> list[float]:
        """Of the last answer's cycles behind the first, which reads the prompt; without the
        last one, whose end nobody sees."""
        later = zip(self._stamps[1:], self._stamps[2:], strict=False)
        return [after - before for before, after in later]

    @contextmanager
    def speculate(self, roles: Roles, request: Request) -> Iterator[_Stamped]:
        """The engine's own."""
        self._stamps = []
        with self._engine.speculate(roles, request) as inner:
            yield _Stamped(inner, self._stamps, self._clock)

    @contextmanager
    def monologue(self, model: PreTrainedModel, request: Request) -> Iterator[_Stamped]:
        """The engine's own."""
        self._stamps = []
        with self._engine.monologue(model, request) as inner:
            yield _Stamped(inner, self._stamps, self._clock)


class _Stamped:
    """A speculation or a monologue."""

    def __init__(self, inner: Any, stamps: list[float], clock: Clock) -> None:
        self._inner = inner
        self._stamps = stamps
        self._clock = clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def propose(self, n: int, pace: Pace | None = None) -> Any:
        self._stamps.append(self._clock())
        return self._inner.propose(n, pace)

    def read(self, tokens: Tensor) -> Any:
        self._stamps.append(self._clock())
        return self._inner.read(tokens)
