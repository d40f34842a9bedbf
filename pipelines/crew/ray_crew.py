"""A crew of replicas on a Ray cluster: hands out shards, and hands lost ones out again.

The driver decides alone which shard goes where, and holds no more of them than the replicas are
busy with. Ray places the replicas, carries the shards to them and tells when one is lost.
"""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice, repeat
from pathlib import Path
from typing import Any, TypeVar

from judge_lightning.crew import Shard
from pipelines.config import RayConfig
from pipelines.crew.nodes import describe_replica, describe_room, nodes_of
from pipelines.crew.ray_cluster import import_ray
from pipelines.crew.worker import Outcome, Replica, Surroundings

B = TypeVar("B")
LOOK_SECONDS = 1.0
"""How often is looked at whether any replica has found room."""
_CARRIED_VARIABLES = (
    "DATASETS_VERBOSITY",
    "HF_DATASETS_DISABLE_PROGRESS_BARS",
    "HF_HUB_DISABLE_PROGRESS_BARS",
    "HF_HUB_OFFLINE",
    "TOKENIZERS_PARALLELISM",
    "TRANSFORMERS_VERBOSITY",
)
"""Settings of libraries; keys and tokens are the nodes' own."""


class ShardError(Exception):
    """A shard could not be done, for a reason that is not the user's."""


class NoRoomError(Exception):
    """The cluster had no room for any replica."""


class RayCrew:
    """As ``judge_lightning.crew.Crew``; the cluster has been joined.

    Every ``carry_out`` hires its own replicas and lets them go when it ends, however it ends.

    Args:
        replicas: How many at most.
    """

    def __init__(self, settings: RayConfig, replicas: int) -> None:
        self._settings = settings
        self._replicas = replicas

    def carry_out(self, open_bench: Callable[[], B], shards: Iterable[Shard[B]]) -> Iterator[None]:
        """As ``Crew`` says; yields when a shard is done.

        Raises:
            UserError: Raised by a shard or the bench, wherever it was.
            ShardError: Anything else that was raised, or a shard was lost too often.
            NoRoomError: No replica found room within ``wait_seconds``.
        """
        coming = iter(shards)
        first = list(islice(coming, self._replicas))
        if first:
            team = _Team(self._settings, open_bench, deque(first), coming)
            yield from team.do_all()


@dataclass(eq=False)
class _Hand:
    """A replica as the driver sees it, with the shards that it was given, oldest first."""

    actor: Any
    arrived: bool = False
    opened: bool = False
    given: deque[Shard[Any]] = field(default_factory=deque)


class _Team:
    def __init__(
        self,
        settings: RayConfig,
        open_bench: Callable[[], Any],
        waiting: deque[Shard[Any]],
        coming: Iterator[Shard[Any]],
    ) -> None:
        self._ray = import_ray()
        self._settings = settings
        self._open_bench = self._ray.put(open_bench)
        self._waiting = waiting
        self._coming = coming
        self._hands: list[_Hand] = []
        self._calls: dict[Any, tuple[_Hand, str]] = {}
        """What was asked of whom and is not answered: ``arrive``, ``open`` or ``do``."""
        self._losses: Counter[str] = Counter()
        self._nobody_since = time.monotonic()

    def do_all(self) -> Iterator[None]:
        try:
            for _ in range(len(self._waiting)):
                self._hire()
            while self._hand_out():
                for call in self._answered():
                    yield from repeat(None, self._hear(call))
        except BaseException:
            for hand in self._hands:
                self._dismiss(hand)
            raise
        # Replicas that nobody knows any more leave by themselves, and tidy up.
        self._hands.clear()
        self._calls.clear()

    def _hire(self) -> None:
        settings = self._settings
        threads = max(1, int(settings.cpus_per_replica))
        variables = {name: os.environ[name] for name in _CARRIED_VARIABLES if name in os.environ}
        options: dict[str, Any] = {
            "num_cpus": settings.cpus_per_replica,
            "num_gpus": settings.gpus_per_replica,
            "scheduling_strategy": "SPREAD",
            "max_restarts": 0,
        }
        if settings.memory_per_replica:
            options["memory"] = settings.memory_per_replica * 2**30
        surroundings = Surroundings(str(Path.cwd()), variables, threads)
        actor = self._ray.remote(Replica).options(**options).remote(surroundings, self._open_bench)
        hand = _Hand(actor)
        self._hands.append(hand)
        self._calls[actor.arrive.remote()] = hand, "arrive"
        self._calls[actor.open.remote()] = hand, "open"

    def _hand_out(self) -> bool:
        """Gives every open replica what it may have, those with the least first; whether any shard
        is still to be done."""
        for depth in range(1, self._settings.in_flight + 1):
            for hand in self._hands:
                while hand.opened and len(hand.given) < depth:
                    shard = self._next_shard()
                    if shard is None:
                        break
                    hand.given.append(shard)
                    self._calls[hand.actor.do.remote(shard)] = hand, "do"
        return bool(self._waiting) or any(hand.given for hand in self._hands)

    def _next_shard(self) -> Shard[Any] | None:
        return self._waiting.popleft() if self._waiting else next(self._coming, None)

    def _answered(self) -> list[Any]:
        """Calls that were answered, oldest first; none where nothing happens for a while."""
        calls = list(self._calls)
        answered, _ = self._ray.wait(calls, num_returns=1, timeout=LOOK_SECONDS)
        if any(hand.arrived for hand in self._hands):
            self._nobody_since = time.monotonic()
        elif time.monotonic() - self._nobody_since > self._settings.wait_seconds:
            raise NoRoomError(
                f"no room for a replica ({describe_replica(self._settings)}) within "
                f"{self._settings.wait_seconds:g} s: {describe_room(nodes_of(self._ray))}"
            )
        return list(answered)

    def _hear(self, call: Any) -> int:
        """Takes an answer in; how far it takes the progress."""
        if call not in self._calls:
            return 0  # Its replica was lost with another call.
        hand, asked = self._calls[call]
        try:
            outcome = self._ray.get(call)
        except self._ray.exceptions.RayTaskError as error:
            raise ShardError(_first_line(error.cause or error)) from error
        except self._ray.exceptions.RayError as error:
            self._lose(hand, error)
            return 0
        del self._calls[call]
        if asked == "arrive":
            hand.arrived = True
            return 0
        return self._take(hand, asked, outcome)

    def _take(self, hand: _Hand, asked: str, outcome: Outcome) -> int:
        if outcome.mistake is not None:
            raise outcome.mistake
        if outcome.failure:
            doing = f"shard {hand.given[0].name}" if asked == "do" else "the start of a replica"
            error = ShardError(f"{doing}: {outcome.failure}")
            error.add_note(outcome.trace)
            raise error
        if asked == "open":
            hand.opened = True
        else:
            hand.given.popleft()
        return outcome.units

    def _lose(self, hand: _Hand, error: Exception) -> None:
        """Puts a lost replica's shards back in front, and hires another.

        Only the shard that it was at counts as lost: the others have not been touched.
        """
        self._dismiss(hand)
        self._hands.remove(hand)
        self._calls = {call: of for call, of in self._calls.items() if of[0] is not hand}
        suspect = f"shard {hand.given[0].name}" if hand.given else "the start of a replica"
        reason = _why_lost(error)
        self._losses[suspect] += 1
        if self._losses[suspect] > self._settings.retries:
            raise ShardError(
                f"{suspect} was lost {self._losses[suspect]} times ({reason})"
            ) from error
        print(f"ray: a worker was lost at {suspect} ({reason}); another one does it", flush=True)
        self._waiting.extendleft(reversed(hand.given))
        self._hire()

    def _dismiss(self, hand: _Hand) -> None:
        with suppress(Exception):
            self._ray.kill(hand.actor)


def _why_lost(error: Exception) -> str:
    said = str(error)
    if "its node has died" in said or "node was terminated" in said:
        return "its node is gone"
    if "running low on memory" in said:
        return "its node ran out of memory"
    if "unavailable" in said:
        return "it cannot be reached"
    return "its process ended"


def _first_line(error: BaseException) -> str:
    said = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {said}"
