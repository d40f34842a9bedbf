"""Locks that need no POSIX locking, on a disk, in memory and on an S3-like server."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from judge_lightning.errors import UserError
from pipelines.store import Artifact, ArtifactStore
from pipelines.store import leases as leases_module
from pipelines.store.leases import Leases
from pipelines.store.locks import FileLocks, key_locks, lacks_shared_locks
from pipelines.store.objects import create_exclusively, open_files
from tests.pipelines.store.conftest import QUICK

FORK = multiprocessing.get_context("fork")
KEY = "ab" * 32


@pytest.fixture(params=["file", "memory", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Any, str]:
    """A file system and a folder in it."""
    if request.param == "s3":
        return open_files("s3"), f"{request.getfixturevalue('bucket')}/leases"
    return open_files(request.param), str(tmp_path / "leases")


def test_a_file_is_created_once(place: tuple[Any, str]) -> None:
    files, folder = place
    assert create_exclusively(files, f"{folder}/a", b"first")
    assert not create_exclusively(files, f"{folder}/a", b"second")
    assert files.cat_file(f"{folder}/a") == b"first"


def test_a_key_has_one_holder_and_is_free_again_behind_it(place: tuple[Any, str]) -> None:
    leases = Leases(*place, QUICK)
    with leases.held("mine", KEY, lambda: None):
        assert leases.holder("mine", KEY) == f"process {os.getpid()} on {os.uname().nodename}"
        with leases.attempt("mine", KEY) as held:
            assert not held
        with leases.attempt("mine", "cd" * 32) as held:
            assert held
    with leases.attempt("mine", KEY) as held:
        assert held


def test_of_many_that_want_a_key_one_has_it_at_a_time(place: tuple[Any, str]) -> None:
    inside, most, turns = 0, 0, 0
    counting = threading.Lock()

    def take_a_turn() -> None:
        nonlocal inside, most, turns
        with Leases(*place, QUICK).held("mine", KEY, lambda: None):
            with counting:
                inside += 1
                most = max(most, inside)
            with counting:
                inside -= 1
                turns += 1

    threads = [threading.Thread(target=take_a_turn) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, turns) == (1, 6)


def test_a_living_holder_is_not_taken_over_however_long_it_takes(place: tuple[Any, str]) -> None:
    with (
        Leases(*place, QUICK).held("mine", KEY, lambda: None),
        Leases(*place, QUICK).attempt("mine", KEY, patient=True) as held,
    ):
        assert not held


def test_an_answer_that_is_missing_does_not_end_the_wait(
    place: tuple[Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    look, looks = leases_module._newest, 0
    holder = ExitStack()
    holder.enter_context(Leases(*place, QUICK).held("mine", KEY, lambda: None))

    def fail_now_and_then(*arguments: Any) -> Any:
        nonlocal looks
        looks += threading.current_thread() is threading.main_thread()
        if looks == 3:
            holder.close()
        if looks == 2:
            raise ConnectionError("the network is down")
        return look(*arguments)

    monkeypatch.setattr(leases_module, "_newest", fail_now_and_then)
    waits: list[bool] = []
    with Leases(*place, QUICK).held("mine", KEY, lambda: waits.append(True)):
        assert waits == [True]
    assert looks >= 3


def test_a_holder_that_was_taken_over_says_so_and_leaves_the_new_lease(
    place: tuple[Any, str], capsys: pytest.CaptureFixture[str]
) -> None:
    files, folder = place
    leases = Leases(files, folder, QUICK)
    with leases.held("mine", KEY, lambda: None):
        new = b'{"host": "elsewhere", "pid": 7, "token": "x"}'
        assert create_exclusively(files, f"{folder}/mine-{KEY}/000002", new)
        renewing = next(t for t in threading.enumerate() if t.name.startswith("lease"))
        renewing.join(timeout=20)
    assert "process 7 on elsewhere has taken it over" in capsys.readouterr().err
    assert leases.holder("mine", KEY) == "process 7 on elsewhere"


def test_a_store_with_lease_files_takes_over_from_a_killed_process(
    tmp_path: Path, publish: Callable[..., Artifact]
) -> None:
    def store() -> ArtifactStore:
        return ArtifactStore(tmp_path, key_locks(tmp_path, "lease", QUICK))

    started = FORK.Event()

    def hold() -> None:
        with store().writer("mine", KEY) as writer:
            (writer.work / "shard-0").write_text("done")
            started.set()
            signal.pause()

    process = FORK.Process(target=hold)
    process.start()
    started.wait()
    assert not store().remove("mine", KEY)
    process.kill()
    process.join()
    artifact = publish(store(), "mine", KEY, {"shard-1": "x"})
    assert set(artifact.manifest.files) == {"shard-0", "shard-1"}


def test_what_a_killed_process_held_by_a_lease_can_be_removed(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path, key_locks(tmp_path, "lease", QUICK))
    lease = tmp_path / ".locks" / "leases" / f"mine-{KEY}" / "000001"
    lease.parent.mkdir(parents=True)
    lease.write_text('{"host": "elsewhere", "pid": 7, "token": "x"}')
    store.work_path("mine", KEY).mkdir(parents=True)
    assert store.remove("mine", KEY)
    assert store.unfinished() == []


@pytest.mark.parametrize(
    ("kind", "options", "lacks"),
    [
        ("nfs", "rw,vers=3,nolock", True),
        ("nfs", "rw,vers=3,local_lock=none", False),
        ("nfs4", "rw,vers=4.2,local_lock=none", False),
        ("nfs", "rw,local_lock=all", True),
        ("lustre", "rw,flock", False),
        ("lustre", "rw,localflock", True),
        ("lustre", "rw", True),
        ("ext4", "rw", False),
    ],
)
def test_a_mount_without_shared_locks_is_told_by_its_options(
    kind: str, options: str, lacks: bool
) -> None:
    assert lacks_shared_locks(kind, options) is lacks


def test_a_store_that_was_locked_by_leases_is_locked_by_them_from_then_on(tmp_path: Path) -> None:
    with key_locks(tmp_path, "lease", QUICK).held("mine", KEY, lambda: None):
        locks = key_locks(tmp_path, "auto", QUICK)
        with locks.attempt("mine", KEY) as held:
            assert not held


def test_a_local_disk_has_the_systems_locks(tmp_path: Path) -> None:
    assert isinstance(key_locks(tmp_path), FileLocks)


def test_an_unknown_kind_of_locks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="artifacts_locks: there is no 'none'"):
        key_locks(tmp_path, "none")
