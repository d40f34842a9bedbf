"""The reckoning of many workers keeps to what must be true of any schedule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.ray_shards import Done, steady_rate
from benchmarks.shard_simulation import Costs, last_worth_doubling, outlooks, simulate

FREE = Costs(hire=0, open=0, driver=0, way=0)
SHARDS = st.lists(st.floats(0.01, 100), min_size=1, max_size=40)
COSTS = st.builds(Costs, *[st.floats(0, 3)] * 4)


@given(SHARDS, COSTS)
def test_one_worker_takes_everything_one_after_the_other(shards: list[float], costs: Costs) -> None:
    all_of_it = sum(shards) + len(shards) * (costs.driver + costs.way) + costs.hire + costs.open
    assert simulate(shards, 1, costs).seconds == pytest.approx(all_of_it)


@given(SHARDS, COSTS, st.integers(1, 50))
def test_no_schedule_beats_its_bounds(shards: list[float], costs: Costs, workers: int) -> None:
    outlook = simulate(shards, workers, costs)
    assert outlook.seconds >= costs.open + max(shards)
    assert outlook.seconds >= sum(shards) / workers
    assert outlook.seconds >= len(shards) * costs.driver
    parts = (outlook.working, outlook.starting, outlook.waiting, outlook.ending)
    assert sum(parts) == pytest.approx(1)
    assert all(part >= -1e-9 for part in parts)


@given(SHARDS, st.integers(1, 50))
def test_list_scheduling_is_at_most_twice_as_long_as_the_best(
    shards: list[float], workers: int
) -> None:
    """Graham's bound."""
    best = max(*shards, sum(shards) / workers)
    assert simulate(shards, workers, FREE).seconds <= (2 - 1 / workers) * best + 1e-6


def test_what_stops_the_scaling_is_named() -> None:
    slow_driver = list(outlooks([1.0] * 1000, Costs(0, 0, 0.1, 0), 64))
    assert last_worth_doubling(slow_driver).workers == 8
    assert slow_driver[-1].why == "driver"
    slow_start = list(outlooks([1.0] * 64, Costs(0, 50, 0, 0), 64))
    assert slow_start[-1].why == "start"
    one_long = list(outlooks([1.0] * 64 + [60.0], FREE, 64))
    assert one_long[-1].why == "last shards"


def test_a_rate_counts_only_while_all_are_at_work() -> None:
    done = [
        Done(1, 0, 1, 1),
        Done(1, 1, 2, 1),
        Done(1, 2, 3, 1),
        Done(2, 1, 2, 1),
        Done(2, 2, 5, 1),
    ]
    assert steady_rate(sorted(done, key=lambda one: one.ended)) == pytest.approx(
        (2 + 1 + 1 / 3) / 2
    )
