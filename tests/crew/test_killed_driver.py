"""A driver that is killed leaves no orphans, and what was finished stays finished."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from pipelines.config import RayConfig
from tests.crew.toy_shards import GO, Toy, begun

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 120
COUNT = 8
DRIVER = """
import signal
import sys
from pathlib import Path
from pipelines.config import RayConfig
from pipelines.crew.ray_cluster import joined_cluster
from pipelines.crew.ray_crew import RayCrew
from tests.crew.toy_shards import Opening, Toy

# A shell's background jobs ignore interrupts, and so would this process.
signal.signal(signal.SIGINT, signal.default_int_handler)
folder, address, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
settings = RayConfig(address=address if address != "local" else None)
shards = [Toy(folder, number, Toy.WAITS if number > 2 else "") for number in range(count)]
with joined_cluster(settings):
    missing = [shard for shard in shards if not shard.result.exists()]
    for _ in RayCrew(settings, 2).carry_out(Opening(folder), missing):
        pass
"""


def start(folder: Path, address: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", DRIVER, str(folder), address, str(COUNT)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )


def until_in_the_middle(folder: Path, driver: subprocess.Popen[bytes]) -> None:
    """Three shards are finished, and others are being done."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(begun(folder)) < 4 or len(list(folder.glob("toy-*.txt"))) < 3:
        assert driver.poll() is None, "the driver has ended"
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def until_gone(processes: list[psutil.Process], seconds: float = 30) -> list[psutil.Process]:
    """Those that are still there after a while."""
    _, there = psutil.wait_procs(processes, timeout=seconds)
    return list(there)


def test_a_killed_driver_costs_the_shards_in_progress(settings: RayConfig, tmp_path: Path) -> None:
    assert settings.address is not None
    driver = start(tmp_path, settings.address)
    until_in_the_middle(tmp_path, driver)
    driver.kill()
    driver.wait()
    finished = {int(path.stem.removeprefix("toy-")) for path in tmp_path.glob("toy-*.txt")}
    (tmp_path / GO).touch()

    assert start(tmp_path, settings.address).wait(PATIENCE_SECONDS) == 0
    counts = Counter(begun(tmp_path))
    assert counts.keys() == set(range(COUNT))
    assert all(counts[number] == 1 for number in finished)
    assert sum(count - 1 for count in counts.values()) <= 2


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_local_cluster_ends_with_its_driver(tmp_path: Path, end: signal.Signals) -> None:
    driver = start(tmp_path, "local")
    until_in_the_middle(tmp_path, driver)
    family = psutil.Process(driver.pid).children(recursive=True)
    (raylet,) = [process for process in family if process.name() == "raylet"]
    assert raylet.environ()["RAY_AUTH_MODE"] == "token"
    # Ray's two helpers first ask a dead cluster for a minute whether it is there, and then go too.
    helpers = [process for process in family if process.name().endswith("Agent")]
    driver.send_signal(end)
    assert driver.wait(PATIENCE_SECONDS) != 0

    assert until_gone([process for process in family if process not in helpers]) == []
    for helper in until_gone(helpers, seconds=0):
        helper.kill()
    assert not (tmp_path / Toy(tmp_path, COUNT - 1).result).exists()
