"""A store on object storage: what one machine has made, another one has, and nothing gets lost."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from judge_lightning.errors import UserError
from pipelines.artifacts import main
from pipelines.manifest import Provenance
from pipelines.store import Artifact, State
from pipelines.store import remote as remote_module
from pipelines.store.cached import CachedStore
from pipelines.store.remote import RemoteStore
from tests.pipelines.store.conftest import SECRET, OpenStore
from tests.pipelines.store.s3_server import S3Server

FORK = multiprocessing.get_context("fork")
KEY, OTHER = "ab" * 32, "cd" * 32
CONTENT = {"a.txt": "first", "deep/b.txt": "second" * 1000}

Publish = Callable[..., Artifact]


def content_of(folder: Path) -> dict[str, str]:
    return {name: (folder / name).read_text() for name in CONTENT}


def file_of(remote: RemoteStore, name: str) -> str:
    """The path of a file of the artifact within the file system."""
    return f"{remote._root}/mine/{KEY}/{name}"


def test_what_one_machine_has_published_another_one_fetches(
    machine: OpenStore, publish: Publish
) -> None:
    made = publish(machine("one"), "mine", KEY, CONTENT)
    two = machine("two")
    assert two.state("mine", KEY)[0] is State.REMOTE
    assert two.find("mine", KEY) is None
    with two.writer("mine", KEY) as writer:
        assert writer.finished is not None
        assert writer.finished.manifest == made.manifest
        assert content_of(writer.finished.path) == CONTENT
    assert two.state("mine", KEY)[0] is State.CACHED


def test_a_plan_downloads_nothing(
    machine: OpenStore, publish: Publish, s3_server: S3Server
) -> None:
    publish(machine("one"), "mine", KEY, CONTENT)
    two = machine("two")
    s3_server.requests.clear()
    two.state("mine", KEY)
    assert [one.rpartition("/")[2] for one in s3_server.requests] == ["manifest.json"]
    assert not two.root.exists()


def test_an_artifact_is_there_only_when_its_manifest_is(
    machine: OpenStore, publish: Publish, s3_server: S3Server, remote: RemoteStore
) -> None:
    with s3_server.fault("PUT", status=403, code="AccessDenied", within="manifest.json"):
        publish(machine("one"), "mine", KEY, CONTENT)
    assert remote._files.exists(file_of(remote, "a.txt"))
    assert machine("two").state("mine", KEY)[0] is State.MISSING
    assert remote.summaries() == []


def test_a_damaged_remote_artifact_is_named_set_aside_and_made_again(
    machine: OpenStore,
    publish: Publish,
    remote: RemoteStore,
    capsys: pytest.CaptureFixture[str],
) -> None:
    publish(machine("one"), "mine", KEY, CONTENT)
    remote._files.pipe_file(file_of(remote, "a.txt"), b"fist!")
    two = machine("two")
    again = publish(two, "mine", KEY, CONTENT)
    warning = capsys.readouterr().err
    assert f"mine/{KEY[:8]}" in warning
    assert "a.txt has other content" in warning
    assert content_of(again.path) == CONTENT
    assert len(remote.quarantined()) == 1
    assert remote.check("mine", KEY) is None


@pytest.mark.parametrize("name", ["../outside.txt", "/tmp/outside.txt"])
def test_a_manifest_cannot_write_outside_of_its_artifact(
    name: str, machine: OpenStore, publish: Publish, remote: RemoteStore
) -> None:
    publish(machine("one"), "mine", KEY, CONTENT)
    path = file_of(remote, "manifest.json")
    text = remote._files.cat_file(path).replace(b'"a.txt"', f'"{name}"'.encode())
    remote._files.pipe_file(path, text)
    with machine("two").writer("mine", KEY) as writer:
        assert writer.finished is None
    assert not list(writer.work.parents[2].rglob("outside.txt"))


def test_a_download_that_breaks_off_damages_nothing(
    machine: OpenStore, publish: Publish, s3_server: S3Server, remote: RemoteStore
) -> None:
    publish(machine("one"), "mine", KEY, CONTENT)
    two = machine("two")
    assert two.state("mine", KEY)[0] is State.REMOTE
    with (
        s3_server.fault("GET", cut=True, within="b.txt"),
        pytest.raises(UserError, match="s3://"),
        two.writer("mine", KEY),
    ):
        pass
    assert remote.quarantined() == []
    with two.writer("mine", KEY) as writer:
        assert writer.finished is not None
        assert content_of(writer.finished.path) == CONTENT


def test_a_full_store_costs_no_finished_work_and_gets_it_later(
    tiny: Any, machine: OpenStore, s3_server: S3Server, capsys: pytest.CaptureFixture[str]
) -> None:
    one = tiny.store = machine("one")
    with (
        s3_server.fault("PUT", status=507, code="XMinioStorageFull", within="/total/"),
        pytest.raises(UserError) as caught,
    ):
        tiny.run()
    line = str(caught.value)
    assert "the store is full (XMinioStorageFull)" in line
    assert one.remote.url in line
    assert "1 finished artifacts are only in" in line
    assert "going on without it" in capsys.readouterr().err
    assert [planned.state for planned in tiny.plan().stages] == [State.CACHED] * 3
    assert len(one.remote.summaries()) == 2

    command = ["push", "--artifacts-dir", one.remote.url, "--artifacts-cache", str(one.root)]
    assert main(command) == 0
    assert any(name.startswith("push-") for name in one.remote.references.read())
    tiny.store = machine("two")
    assert all(result.cached for result in tiny.run())


def test_a_store_that_fails_for_a_while_gets_everything_in_the_end(
    tiny: Any, machine: OpenStore, s3_server: S3Server
) -> None:
    one = tiny.store = machine("one")
    settle = one.settle
    with ExitStack() as denied, pytest.MonkeyPatch.context() as patch:
        denied.enter_context(
            s3_server.fault("PUT", status=403, code="AccessDenied", within="/total/")
        )
        patch.setattr(one, "settle", lambda keys: (denied.close(), settle(keys)))
        tiny.run()
    assert len(one.remote.summaries()) == 3


def test_the_same_pipeline_has_the_same_keys_and_bytes_on_every_store(
    tiny: Any, machine: OpenStore
) -> None:
    tiny.run()
    here = tiny.store
    tiny.store = machine("one")
    tiny.run()
    for planned in tiny.plan().stages:
        files = [s.manifest(planned.name, planned.key).files for s in (here, tiny.store.remote)]
        assert files[0] == files[1]


def test_a_process_killed_in_an_upload_leaves_no_artifact_there_and_a_rerun_puts_it_there(
    tiny: Any, machine: OpenStore
) -> None:
    def upload_and_die() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(remote_module, "write_whole", lambda *_: os.kill(os.getpid(), 9))
            tiny.store = machine("one")
            tiny.run()

    process = FORK.Process(target=upload_and_die)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    one = tiny.store = machine("one")
    first = tiny.plan()["numbers"]
    assert first.state is State.CACHED
    assert one.remote.manifest("numbers", first.key) is None
    assert [result.cached for result in tiny.run()] == [True, False, False]
    assert len(one.remote.summaries()) == 3


def test_two_processes_with_caches_of_their_own_compute_a_key_once(machine: OpenStore) -> None:
    started, go = FORK.Event(), FORK.Event()

    def work_slowly() -> None:
        with machine("one").writer("mine", KEY) as writer:
            started.set()
            go.wait()
            (writer.work / "a.txt").write_text("by the first")
            writer.publish(Provenance(version=1, settings={}, inputs={}))

    process = FORK.Process(target=work_slowly)
    process.start()
    started.wait()
    waits: list[None] = []
    with machine("two").writer("mine", KEY, on_wait=lambda: waits.append(go.set())) as writer:
        assert writer.finished is not None
        assert (writer.finished.path / "a.txt").read_text() == "by the first"
    process.join()
    assert waits == [None]


def test_a_killed_holder_is_named_and_its_key_taken_over(
    machine: OpenStore, capsys: pytest.CaptureFixture[str], publish: Publish
) -> None:
    started = FORK.Event()

    def hold() -> None:
        with machine("one").writer("mine", KEY):
            started.set()
            signal.pause()

    process = FORK.Process(target=hold)
    process.start()
    started.wait()
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    publish(machine("two"), "mine", KEY, CONTENT)
    said = capsys.readouterr().err
    assert f"process {process.pid} on " in said
    assert "taken over" in said


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("ExpiredToken", "the credentials have expired"),
        ("AccessDenied", "the credentials may not do this"),
        ("InvalidAccessKeyId", "the credentials are not known there"),
        ("SignatureDoesNotMatch", "the secret key is not the right one"),
    ],
)
def test_credentials_that_do_not_work_are_named_before_any_work(
    code: str, words: str, tiny: Any, machine: OpenStore, s3_server: S3Server
) -> None:
    tiny.store = machine("one")
    with s3_server.fault("GET", status=403, code=code), pytest.raises(UserError) as caught:
        tiny.run()
    assert words in str(caught.value)
    assert tiny.store.remote.url in str(caught.value)
    assert tiny.numbers.shards_written == []


def test_a_full_store_is_named_before_any_work(
    tiny: Any, machine: OpenStore, s3_server: S3Server
) -> None:
    tiny.store = machine("one")
    with (
        s3_server.fault("PUT", status=507, code="XMinioStorageFull"),
        pytest.raises(UserError, match="the store is full"),
    ):
        tiny.run()
    assert tiny.numbers.shards_written == []


def test_credentials_that_expire_in_a_run_cost_no_finished_work(
    tiny: Any, machine: OpenStore, s3_server: S3Server
) -> None:
    one = tiny.store = machine("one")
    begin = one.begin

    def expire_then(*arguments: Any) -> None:
        begin(*arguments)
        expired.enter_context(s3_server.fault("GET", status=400, code="ExpiredToken"))
        expired.enter_context(s3_server.fault("PUT", status=400, code="ExpiredToken"))

    with ExitStack() as expired, pytest.MonkeyPatch.context() as patch:
        patch.setattr(one, "begin", expire_then)
        with pytest.raises(UserError, match="the credentials have expired") as caught:
            tiny.run()
    assert "3 finished artifacts are only in" in str(caught.value)
    assert tiny.run()
    assert len(one.remote.summaries()) == 3


def test_no_credential_is_written_anywhere(
    tiny: Any, machine: OpenStore, remote: RemoteStore, tmp_path: Path
) -> None:
    tiny.store = machine("one")
    tiny.run()
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    written += [remote._files.cat_file(path) for path in remote._files.find(remote._root)]
    assert len(written) > 10
    assert not [content for content in written if SECRET.encode() in content]
    assert not [content for content in written if b"AKIA" in content]


def test_a_second_lot_of_the_same_key_harms_nothing(
    machine: OpenStore, publish: Publish, remote: RemoteStore
) -> None:
    first = publish(machine("one"), "mine", KEY, CONTENT)
    late = machine("two")
    with pytest.MonkeyPatch.context() as patch:
        # Its lease was lost while it slept: it believes that nobody has made the artifact.
        patch.setattr(CachedStore, "_bring", lambda *_: False)
        publish(late, "mine", KEY, CONTENT)
    assert remote.manifest("mine", KEY) == first.manifest
    assert remote.check("mine", KEY) is None


def test_what_is_large_and_read_by_no_stage_stays_there(
    tiny: Any, machine: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.store.cached.FETCH_BELOW", 0)
    tiny.store = machine("one")
    tiny.run()
    two = tiny.store = machine("two")
    assert all(result.cached for result in tiny.run())
    assert [stage for stage, _ in two.published()] == ["report"]
    tiny.config.judge.lr = 0.5
    assert [result.cached for result in tiny.run()] == [True, False, False]
    assert "numbers" in [stage for stage, _ in two.published()]
