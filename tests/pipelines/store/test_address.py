"""Where a store may be, and what is said where it cannot be reached."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from judge_lightning.errors import UserError
from judge_lightning.store_folder import folder_of_store
from pipelines.artifacts import main
from pipelines.config import RunConfig
from pipelines.store import ArtifactStore, State
from pipelines.store.address import Address
from pipelines.store.cached import CachedStore
from pipelines.store.opening import open_store
from pipelines.store.remote import RemoteStore
from tests.pipelines.store.conftest import SECRET
from tests.pipelines.store.s3_server import S3Server


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"s3://AKIA:{SECRET}@bucket/x", "holds credentials"),
        (f"s3://bucket/x?secret={SECRET}", "no plain address"),
        ("simplecache::s3://bucket/x", "no plain address"),
        ("s3://", "no plain address"),
        ("s4://bucket/x", "s4:// is not known"),
        ("file:///", "no plain address"),
    ],
)
def test_an_address_that_is_none_is_refused_without_being_repeated(url: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        Address.parse(url).open()
    assert SECRET not in str(caught.value)


def test_a_folder_stays_a_store_on_this_machine(tmp_path: Path) -> None:
    store = open_store(RunConfig(exp="x", artifacts_dir=str(tmp_path)))
    assert type(store) is ArtifactStore
    assert store.root == tmp_path


@pytest.mark.parametrize("protocol", ["file", "memory"])
def test_every_file_system_of_fsspecs_can_hold_a_store(
    protocol: str, tmp_path: Path, publish: object
) -> None:
    def on(machine: str) -> ArtifactStore:
        url = f"{protocol}://{tmp_path}/store"
        cache = str(tmp_path / machine)
        return open_store(RunConfig(exp="x", artifacts_dir=url, artifacts_cache=cache))

    one, two = on("one"), on("two")
    assert isinstance(one, CachedStore)
    publish(one, "mine", "ab" * 32, {"a.txt": "a"})  # type: ignore[operator]
    assert two.state("mine", "ab" * 32)[0] is State.REMOTE
    assert (two.fetched("mine", "ab" * 32) / "a.txt").read_text() == "a"


def test_a_run_on_a_remote_store_is_read_from_the_folder_in_front_of_it() -> None:
    assert folder_of_store({"artifacts_dir": "elsewhere"}) == "elsewhere"
    assert folder_of_store({}) == "artifacts"
    assert folder_of_store({"artifacts_dir": "s3://b/x", "artifacts_cache": "c"}) == "c"


def test_a_bucket_that_is_not_there_is_named(
    s3_server: S3Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ls", "--artifacts-dir", "s3://no-such-bucket/x"]) == 2
    line = capsys.readouterr().err
    assert line.startswith("error: artifacts_dir: s3://no-such-bucket/x: there is no such bucket")
    assert line.count("\n") == 1
    with pytest.raises(UserError, match="there is no such bucket"):
        RemoteStore(Address.parse("s3://no-such-bucket/x")).manifest("mine", "ab" * 32)


def test_an_endpoint_that_does_not_answer_is_named(url: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        patch.setattr("s3fs.S3FileSystem.retries", 1)
        patch.setattr("s3fs.S3FileSystem.cachable", False)
        remote = RemoteStore(Address.parse(url))
        with pytest.raises(UserError, match="it cannot be reached") as caught:
            remote.manifest("mine", "ab" * 32)
    assert url in str(caught.value)


def test_a_machine_without_credentials_is_told(url: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.delenv(name)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setattr("s3fs.S3FileSystem.cachable", False)
        remote = RemoteStore(Address.parse(url))
        with pytest.raises(UserError, match="no credentials were found"):
            remote.manifest("mine", "ab" * 32)


def test_a_run_names_the_missing_bucket_before_any_work(
    s3_server: S3Server, tmp_path: Path
) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "pipelines.run", "+exp=quickstart", "tracking=none",
         "artifacts_dir=s3://no-such-bucket/x", f"artifacts_cache={tmp_path / 'cache'}",
         f"output_dir={tmp_path / 'outputs'}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1
    assert "s3://no-such-bucket/x: there is no such bucket" in answer.stderr
    assert list(tmp_path.iterdir()) == []
