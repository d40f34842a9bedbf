"""How long many workers take for many shards, reckoned from what was measured with few.

List scheduling as the crew does it: whoever is free gets the next shard. The driver answers one
replica after the other, so that many short shards wait for it; replicas start late; and at the end
most of them wait for the last shard.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Costs:
    """Seconds.

    Attributes:
        hire: Of the driver, for every replica, one after the other.
        open: From a replica's hiring until it can do a shard: process, imports, models.
        driver: Of the driver, for every shard, one after the other.
        way: From a replica's answer to its next shard, besides what the driver takes.
    """

    hire: float
    open: float
    driver: float
    way: float


@dataclass(frozen=True)
class Outlook:
    """What a number of workers would take, and where their time goes.

    ``working`` to ``ending`` are shares of the workers' time, and add up to 1: at shards, before
    the first one, waiting for a next one, and waiting for the others' last ones.
    """

    workers: int
    seconds: float
    working: float
    starting: float
    waiting: float
    ending: float

    @property
    def why(self) -> str:
        """What takes most of the time that is not work."""
        losses = {"start": self.starting, "driver": self.waiting, "last shards": self.ending}
        return max(losses, key=lambda name: losses[name])


def simulate(shards: Sequence[float], workers: int, costs: Costs) -> Outlook:
    """Carries out shards that take these seconds, in their order."""
    ready = [costs.hire * (number + 1) + costs.open for number in range(workers)]
    free = [(time, number) for number, time in enumerate(ready)]
    heapq.heapify(free)
    ended = list(ready)
    driver = costs.hire * workers
    for seconds in shards:
        asked, number = heapq.heappop(free)
        driver = max(driver, asked) + costs.driver
        ended[number] = driver + costs.way + seconds
        heapq.heappush(free, (ended[number], number))
    total = max(ended)
    everybody = total * workers
    working, starting = sum(shards) / everybody, sum(ready) / everybody
    ending = sum(total - time for time in ended) / everybody
    return Outlook(workers, total, working, starting, 1 - working - starting - ending, ending)


def outlooks(shards: Sequence[float], costs: Costs, most: int) -> Iterator[Outlook]:
    """1, 2, 4 ... workers, up to ``most``."""
    workers = 1
    while workers <= most:
        yield simulate(shards, workers, costs)
        workers *= 2


def last_worth_doubling(found: Sequence[Outlook], gain: float = 1.5) -> Outlook:
    """The number of workers that twice as many would not make ``gain`` times as fast."""
    for fewer, more in pairwise(found):
        if fewer.seconds / more.seconds < gain:
            return fewer
    return found[-1]
