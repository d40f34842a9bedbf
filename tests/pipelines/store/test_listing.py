"""Ten thousand artifacts, here and on an S3-like server; what gc keeps there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.artifacts import main
from pipelines.manifest import Manifest
from pipelines.store import Artifact, ArtifactStore, Summary
from pipelines.store import listing as listing_module
from pipelines.store.remote import RemoteStore
from tests.pipelines.store.conftest import OpenStore
from tests.pipelines.store.s3_server import S3Server

MINE, EMBED, LOOSE = "ab" * 32, "cd" * 32, "ac" * 32
MANY = 10_000

Publish = Callable[..., Artifact]


def key_of(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def summary(number: int) -> Summary:
    made = "2026-11-30T13:38:22"
    return Summary("mine", key_of(number), 1000 + number, 18, 407.7, made, "16" * 20, {})


@pytest.fixture
def published(machine: OpenStore, publish: Publish) -> RemoteStore:
    """``embed`` was made from ``mine`` in somebody's run; ``train`` is of no run."""
    one = machine("one")
    publish(one, "mine", MINE, {"a.txt": "a"})
    publish(one, "embed", EMBED, {"b.txt": "b"}, {"mine": MINE})
    publish(one, "train", LOOSE, {"c.txt": "c"})
    one.begin("quickstart", {"embed": EMBED})
    return one.remote


def names(store: Any) -> list[str]:
    return [summary.stage for summary in store.summaries()]


def test_ten_thousand_artifacts_are_listed_in_a_handful_of_requests(
    remote: RemoteStore, s3_server: S3Server, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {("mine", key_of(number)): summary(number) for number in range(MANY)}
    remote._index.write_anew(rows, [])
    s3_server.requests.clear()
    assert main(["ls", "--artifacts-dir", remote.url]) == 0
    assert "10,000 artifacts" in capsys.readouterr().out
    assert len(s3_server.requests) <= 6


def test_a_second_list_of_a_folder_reads_no_manifest(
    tmp_path: Path, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ArtifactStore(tmp_path)
    manifest = publish(store, "mine", MINE, {"a.txt": "a"}).manifest.to_json()
    for number in range(300):
        folder = tmp_path / "train" / key_of(number)
        folder.mkdir(parents=True)
        manifest |= {"stage": "train", "key": key_of(number)}
        (folder / "manifest.json").write_text(json.dumps(manifest))
    first = store.summaries()
    assert len(first) == 301
    monkeypatch.setattr(listing_module, "_summary", None)
    assert store.summaries() == first


def test_a_list_knows_of_what_was_published_removed_and_changed_since(
    tmp_path: Path, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing_module, "_WRITE_FROM", 1)
    store = ArtifactStore(tmp_path)
    publish(store, "mine", MINE, {"a.txt": "a"})
    publish(store, "train", LOOSE, {"a.txt": "a"})
    assert names(store) == ["mine", "train"]
    store.remove("train", LOOSE)
    publish(store, "embed", EMBED, {"b.txt": "bb"})
    assert names(store) == ["embed", "mine"]
    store.remove("mine", MINE)
    publish(store, "mine", MINE, {"a.txt": "aaa"})
    assert [summary.bytes for summary in store.summaries()] == [2, 3]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"mine/ab": [[1, 2], {}]}'])
def test_a_torn_index_costs_nothing_but_time(
    content: bytes, tmp_path: Path, publish: Publish
) -> None:
    store = ArtifactStore(tmp_path)
    publish(store, "mine", MINE, {"a.txt": "a"})
    (tmp_path / ".index.json").write_bytes(content)
    assert names(store) == ["mine"]


def test_a_summary_says_what_the_manifest_says(tmp_path: Path, publish: Publish) -> None:
    store = ArtifactStore(tmp_path)
    publish(store, "embed", EMBED, {"b.txt": "b", "c.txt": "cc"}, {"mine": MINE})
    [found] = store.summaries()
    assert found == Summary.of(Manifest.read(store.path("embed", EMBED)))
    assert (found.bytes, found.files, found.inputs) == (3, 2, {"mine": MINE})


def test_single_lines_of_the_index_are_merged_when_there_are_many(
    remote: RemoteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.store.index._MERGE_FROM", 5)
    for number in range(7):
        remote._index.add(summary(number))
    before = remote.summaries()
    assert len(before) == 7
    assert len(remote._index.paths()) == 1
    remote._index.add(summary(7))
    assert len(remote.summaries()) == 8


def test_the_commands_work_on_a_remote_store(
    published: RemoteStore, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def call(*arguments: str) -> str:
        assert main([*arguments, "--artifacts-dir", published.url]) == 0
        return capsys.readouterr().out

    listed = call("ls")
    assert all(key[:8] in listed for key in (MINE, EMBED, LOOSE))
    assert json.loads(call("show", EMBED[:6]))["inputs"] == {"mine": MINE}
    assert "mine" in call("lineage", EMBED[:6]).splitlines()[1]
    assert "3 checked, 0 damaged" in call("verify")
    assert "all   │ 3" in call("du")
    assert "keeps 2 artifacts, 2 B" in call("runs")
    folder = call("pull", EMBED[:6], "--artifacts-cache", str(tmp_path / "pulled")).strip()
    assert (Path(folder) / "b.txt").read_text() == "b"


def test_verify_finds_a_changed_remote_byte(
    published: RemoteStore, capsys: pytest.CaptureFixture[str]
) -> None:
    published._files.pipe_file(f"{published._root}/train/{LOOSE}/c.txt", b"x")
    assert main(["verify", "--artifacts-dir", published.url]) == 1
    assert "c.txt has other content" in capsys.readouterr().out
    assert published.manifest("train", LOOSE) is None
    assert names(published) == ["embed", "mine"]


def gc(remote: RemoteStore, outputs: Path, *more: str) -> int:
    folders = ["--artifacts-dir", remote.url, "--output-dir", str(outputs)]
    return main(["gc", *folders, *more])


def test_gc_keeps_what_other_peoples_runs_refer_to_and_says_who(
    published: RemoteStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gc(published, tmp_path / "no-runs-here") == 0
    printed = capsys.readouterr().out
    assert f"train      {LOOSE[:8]}  1 B  deleted" in printed
    assert "quickstart-" in printed
    assert "keeps 2 artifacts, 2 B: " in printed
    assert names(published) == ["embed", "mine"]
    assert published.check("mine", MINE) is None


def test_gc_keeps_what_the_runs_here_refer_to(published: RemoteStore, tmp_path: Path) -> None:
    run = tmp_path / "outputs" / "quickstart" / "2030-01-01"
    run.mkdir(parents=True)
    (run / "summary.json").write_text(json.dumps({"stages": {"train": {"key": LOOSE}}}))
    assert gc(published, tmp_path / "outputs") == 0
    assert names(published) == ["embed", "mine", "train"]


def test_gc_deletes_what_a_forgotten_run_kept(
    published: RemoteStore, machine: OpenStore, tmp_path: Path
) -> None:
    machine("two").begin("later", {"train": LOOSE})
    [name] = [name for name in published.references.read() if name.startswith("quickstart")]
    assert main(["forget", name, "--artifacts-dir", published.url]) == 0
    assert gc(published, tmp_path) == 0
    assert names(published) == ["train"]


def test_gc_without_any_run_deletes_nothing(
    published: RemoteStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in published.references.read():
        published.references.remove(name)
    assert gc(published, tmp_path) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert len(names(published)) == 3


def test_gc_dry_run_only_says_what_would_go(
    published: RemoteStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gc(published, tmp_path, "--dry-run") == 0
    assert "would be deleted" in capsys.readouterr().out
    assert len(names(published)) == 3


def test_gc_leaves_alone_what_a_process_is_at_and_takes_half_uploads(
    published: RemoteStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half = "ef" * 32
    published._files.pipe_file(f"{published._root}/mine/{half}/shard-0", b"half")
    with published.leases.held("train", LOOSE, lambda: None):
        assert gc(published, tmp_path) == 0
    printed = capsys.readouterr().out
    assert f"mine       {half[:8]}  4 B  deleted  (half uploaded)" in printed
    assert f"train      {LOOSE[:8]}  in use by process" in printed
    assert names(published) == ["embed", "mine", "train"]


def test_gc_mends_an_index_that_lost_a_line(published: RemoteStore, tmp_path: Path) -> None:
    published._index.remove("mine", MINE)
    assert names(published) == ["embed", "train"]
    assert gc(published, tmp_path) == 0
    assert names(published) == ["embed", "mine"]
