"""Shards on a cluster: each done once, whatever is lost on the way."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from judge_lightning.errors import UserError
from pipelines.config import RayConfig
from pipelines.crew.nodes import Node, nodes_of
from pipelines.crew.ray_cluster import import_ray
from pipelines.crew.ray_crew import NoRoomError, RayCrew, ShardError
from tests.crew.conftest import node
from tests.crew.toy_shards import BEGUN, GO, OPENED, Opening, Toy, begun, rows

PATIENCE_SECONDS = 120


def toys(folder: Path, count: int, **trouble: str) -> list[Toy]:
    """``trouble`` says which shard gets into which: ``at_3="dies"``."""
    return [Toy(folder, number, trouble.get(f"at_{number}", "")) for number in range(count)]


def until(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not there():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def meanwhile(folder: Path, count: int, act: Callable[[], object]) -> threading.Thread:
    """Acts when ``count`` shards have been begun, then lets them all go on."""

    def watch() -> None:
        until(lambda: len(begun(folder)) >= count)
        act()
        (folder / GO).touch()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def test_every_shard_is_done_once_by_replicas_that_open_one_bench_each(
    joined: RayConfig, tmp_path: Path
) -> None:
    shards = toys(tmp_path, 12)
    units = list(RayCrew(joined, 2).carry_out(Opening(tmp_path), shards))

    assert len(units) == 2 * len(shards)
    assert sorted(begun(tmp_path)) == list(range(12))
    assert all(shard.result.read_text() == f"{shard.number}\n" for shard in shards)
    assert 1 <= len(rows(tmp_path / OPENED)) <= 2
    assert len({where for _, where in rows(tmp_path / OPENED)}) == len(rows(tmp_path / OPENED))


def test_nothing_is_hired_for_no_shards(joined: RayConfig, tmp_path: Path) -> None:
    assert list(RayCrew(joined, 2).carry_out(Opening(tmp_path), [])) == []
    assert not (tmp_path / OPENED).exists()


@pytest.mark.parametrize("in_flight", [1, 3])
def test_shards_are_taken_as_replicas_can_do_them(
    joined: RayConfig, tmp_path: Path, in_flight: int
) -> None:
    taken = 0

    def endless() -> Iterator[Toy]:
        nonlocal taken
        for shard in toys(tmp_path, 30):
            taken += 1
            yield shard

    crew = RayCrew(replace(joined, in_flight=in_flight), 2)
    for done, _ in enumerate(crew.carry_out(Opening(tmp_path), endless())):
        assert taken <= done // 2 + 1 + 2 * in_flight
    assert taken == 30


def test_a_lost_worker_costs_the_shard_that_it_was_at(
    joined: RayConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crew = RayCrew(replace(joined, in_flight=2), 2)
    list(crew.carry_out(Opening(tmp_path), toys(tmp_path, 8, at_3="dies once")))

    assert Counter(begun(tmp_path)) == Counter([*range(8), 3])
    assert len(list(tmp_path.glob("toy-*.txt"))) == 8
    lost = "ray: a worker was lost at shard toy-3 (its process ended); another one does it\n"
    assert capsys.readouterr().out == lost


def test_a_lost_node_costs_the_shard_that_was_done_there(
    joined: RayConfig, cluster: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {one.id for one in nodes_of(import_ray())}
    added = cluster.add_node(**node())
    (doomed,) = {one.id for one in nodes_of(import_ray())} - before
    watch = meanwhile(tmp_path, 3, lambda: cluster.remove_node(added))
    shards = [Toy(tmp_path, number, Toy.WAITS) for number in range(6)]
    list(RayCrew(joined, 3).carry_out(Opening(tmp_path), shards))
    watch.join()

    lost = [int(number) for number, _, where in rows(tmp_path / BEGUN) if where == doomed]
    assert len(lost) == 1
    assert Counter(begun(tmp_path)) == Counter([*range(6), *lost])
    assert len(list(tmp_path.glob("toy-*.txt"))) == 6
    assert f"lost at shard toy-{lost[0]} (its node is gone)" in capsys.readouterr().out


def test_a_shard_that_ends_every_worker_is_named(
    joined: RayConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crew = RayCrew(replace(joined, retries=1), 1)
    with pytest.raises(ShardError, match=r"^shard toy-1 was lost 2 times \(its process ended\)$"):
        list(crew.carry_out(Opening(tmp_path), toys(tmp_path, 3, at_1="dies")))

    assert begun(tmp_path) == [0, 1, 1]
    assert (tmp_path / "toy-0.txt").exists()


def test_the_users_mistake_arrives_as_it_was_raised(joined: RayConfig, tmp_path: Path) -> None:
    shards = toys(tmp_path, 3, at_1="mistake")
    with pytest.raises(UserError, match=r"^a\.field: is wrong; mend it$"):
        list(RayCrew(joined, 1).carry_out(Opening(tmp_path), shards))
    with pytest.raises(UserError, match=r"^pair\.target\.path: cannot be loaded"):
        list(RayCrew(joined, 1).carry_out(Opening(tmp_path, "no model"), shards))


def test_any_other_failure_names_the_shard_in_one_line(joined: RayConfig, tmp_path: Path) -> None:
    with pytest.raises(ShardError) as error:
        list(RayCrew(joined, 1).carry_out(Opening(tmp_path), toys(tmp_path, 3, at_1="fails")))

    assert str(error.value) == "shard toy-1: ValueError: seven is no colour"
    assert "toy_shards.py" in error.value.__notes__[0]


def test_a_stage_that_is_left_frees_its_replicas(joined: RayConfig, tmp_path: Path) -> None:
    """Another stage finds room at once, also behind one that was broken off."""
    ray = import_ray()
    running = RayCrew(joined, 2).carry_out(Opening(tmp_path), toys(tmp_path, 8))
    next(running)
    running.close()

    until(lambda: ray.available_resources().get("CPU") == 2.0)


def test_a_cluster_that_stays_full_is_said(joined: RayConfig, tmp_path: Path) -> None:
    ray = import_ray()

    class Guest:
        def stay(self) -> None: ...

    until(lambda: ray.available_resources().get("CPU") == 2.0)
    guests = [ray.remote(Guest).options(num_cpus=1).remote() for _ in range(2)]
    ray.get([guest.stay.remote() for guest in guests])
    crew = RayCrew(replace(joined, wait_seconds=0.5), 1)
    with pytest.raises(
        NoRoomError, match=r"no room for a replica \(1 core\) within 0.5 s: 2 nodes"
    ):
        list(crew.carry_out(Opening(tmp_path), toys(tmp_path, 1)))
    for guest in guests:
        ray.kill(guest)


def test_a_node_is_named_by_its_address() -> None:
    assert Node("0123456789", "10.0.0.7", 1, 0, 1).name == "10.0.0.7 (012345)"
