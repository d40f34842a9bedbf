"""The artifact store's command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.artifacts import main
from pipelines.store import ArtifactStore

MINE, EMBED, LOOSE = "ab" * 32, "cd" * 32, "ac" * 32

Command = Callable[..., int]


@pytest.fixture
def store(tmp_path: Path, publish: Callable[..., Any]) -> ArtifactStore:
    """``embed`` was made from ``mine`` in a run that is kept; ``train`` is of no run."""
    store = ArtifactStore(tmp_path / "artifacts")
    publish(store, "mine", MINE, {"a.txt": "a"})
    publish(store, "embed", EMBED, {"b.txt": "b"}, {"mine": MINE})
    publish(store, "train", LOOSE, {"c.txt": "c"})
    run = tmp_path / "outputs" / "quickstart" / "2030-01-01"
    run.mkdir(parents=True)
    (run / "summary.json").write_text(json.dumps({"stages": {"embed": {"key": EMBED}}}))
    return store


@pytest.fixture
def command(store: ArtifactStore, tmp_path: Path) -> Command:
    def call(*arguments: str) -> int:
        folders = ["--artifacts-dir", str(tmp_path / "artifacts")]
        if arguments[0] == "gc":
            folders += ["--output-dir", str(tmp_path / "outputs")]
        return main([*arguments, *folders])

    return call


def test_ls_lists_every_artifact(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("ls") == 0
    printed = capsys.readouterr().out
    for key in (MINE, EMBED, LOOSE):
        assert key[:8] in printed


def test_show_prints_the_manifest_as_json(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("show", "cdcd") == 0
    assert json.loads(capsys.readouterr().out)["inputs"] == {"mine": MINE}


def test_lineage_goes_back_to_the_sources(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("lineage", EMBED[:8]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "embed" in lines[0]
    assert "mine" in lines[1]


def test_lineage_says_which_input_is_gone(
    command: Command, store: ArtifactStore, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(store.path("mine", MINE))
    assert command("lineage", EMBED[:8]) == 0
    assert "not stored" in capsys.readouterr().out


def test_verify_finds_a_changed_byte_and_moves_the_artifact_aside(
    command: Command, store: ArtifactStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("verify") == 0
    (store.path("mine", MINE) / "a.txt").write_text("x")
    assert command("verify") == 1
    assert "a.txt has other content" in capsys.readouterr().out
    assert not store.path("mine", MINE).exists()


def test_gc_keeps_what_runs_refer_to_and_their_inputs(
    command: Command, store: ArtifactStore
) -> None:
    assert command("gc") == 0
    assert store.published() == [("embed", EMBED), ("mine", MINE)]


def test_gc_drops_unfinished_work_and_what_was_moved_aside(
    command: Command, store: ArtifactStore
) -> None:
    with store.writer("train", "ef" * 32) as writer:
        (writer.work / "shard").write_text("x")
    (store.path("mine", MINE) / "a.txt").write_text("x")
    command("verify")
    assert command("gc") == 0
    assert store.unfinished() == []
    assert store.quarantined() == []


def test_gc_dry_run_only_says_what_would_go(
    command: Command, store: ArtifactStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("gc", "--dry-run") == 0
    assert LOOSE[:8] in capsys.readouterr().out
    assert len(store.published()) == 3


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("show", "ffff"), "no artifact's key starts with 'ffff'"),
        (("show", "a"), "'a' fits 2 artifacts"),
        (("lineage", "mine/cd"), "no artifact's key starts with 'mine/cd'"),
    ],
)
def test_a_key_that_fits_none_or_several_is_refused(
    arguments: tuple[str, ...],
    named: str,
    command: Command,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command(*arguments) == 2
    assert named in capsys.readouterr().err


def test_a_stage_before_the_key_tells_artifacts_apart(command: Command) -> None:
    assert command("show", "mine/a") == 0


def test_gc_refuses_to_delete_everything_when_no_run_is_found(
    command: Command,
    store: ArtifactStore,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.rmtree(tmp_path / "outputs")
    assert command("gc") == 2
    assert len(store.published()) == 3
    assert capsys.readouterr().err.count("\n") == 1


def test_gc_stops_at_a_run_that_cannot_be_read(
    command: Command, store: ArtifactStore, tmp_path: Path
) -> None:
    torn = tmp_path / "outputs" / "quickstart" / "multirun-2030" / "0"
    torn.mkdir(parents=True)
    (torn / "summary.json").write_text('{"stages"')
    assert command("gc") == 2
    assert len(store.published()) == 3
