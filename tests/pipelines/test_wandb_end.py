"""The end of a W&B run whose calls hang or whose own process dies: the results are not touched."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event, current_thread
from types import SimpleNamespace

import pytest

from pipelines.config import TrackingConfig
from pipelines.wandb_run import run as wandb_run
from pipelines.wandb_run.connection import end_service
from pipelines.wandb_run.publishing import sync_command
from pipelines.wandb_run.run import RunIdentity, WandbRun

wandb = pytest.importorskip("wandb")


def leave() -> None:
    """What W&B does when its own process was killed."""
    sys.exit(-9)


@pytest.fixture
def hanging() -> Iterator[Event]:
    """Set at the end, so that no thread is left behind."""
    event = Event()
    yield event
    event.set()


@pytest.fixture
def impatient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WandbRun:
    """A run in the working folder that is not started and waits for nothing at its end."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(wandb_run, "SLACK", 0.0)
    monkeypatch.setattr(WandbRun, "_start", lambda self: None)
    config = TrackingConfig(name="x", wandb_mode="offline", wait_seconds=0)
    return WandbRun(config, RunIdentity("n", "g"), folder=tmp_path, settings={})


def test_when_wandb_answers_the_end_of_its_process_by_leaving_the_run_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wandb, "teardown", leave)
    end_service(wandb)


def test_a_call_that_hangs_at_the_end_costs_a_line_even_where_wandb_leaves(
    impatient: WandbRun,
    hanging: Event,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(wandb, "teardown", leave)
    impatient._courier.send(hanging.wait)
    impatient.finish(0)
    (line,) = capsys.readouterr().err.splitlines()
    assert "not everything was sent" in line


def test_a_run_that_was_given_up_leaves_wandb_to_the_next_one(
    impatient: WandbRun, hanging: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    torn_down_by: list[str] = []
    monkeypatch.setattr(wandb, "teardown", lambda: torn_down_by.append(current_thread().name))
    impatient._run = SimpleNamespace(
        finish=lambda exit_code: hanging.wait(), settings=SimpleNamespace(sync_dir="wandb/x")
    )
    impatient.finish(0)
    hanging.set()
    impatient._courier._thread.join(10)
    assert torn_down_by == [current_thread().name]


@pytest.mark.parametrize(
    ("record", "command"),
    [
        ("run-1-abcd", "wandb sync --include-online wandb/run-1-abcd"),
        ("offline-run-1-abcd", "wandb sync wandb/offline-run-1-abcd"),
    ],
)
def test_what_was_not_sent_is_sent_from_its_record_on_disk(
    impatient: WandbRun,
    hanging: Event,
    capsys: pytest.CaptureFixture[str],
    record: str,
    command: str,
) -> None:
    folder = Path.cwd() / "wandb" / record
    impatient._run = SimpleNamespace(
        finish=lambda exit_code: hanging.wait(), settings=SimpleNamespace(sync_dir=str(folder))
    )
    impatient.finish(0)
    assert f"`{command}` sends what is recorded" in capsys.readouterr().err


@pytest.mark.parametrize("record", ["run-1-abcd", "offline-run-1-abcd"])
def test_wandbs_own_command_takes_the_record_for_one_to_send(tmp_path: Path, record: str) -> None:
    folder = tmp_path / record
    folder.mkdir()
    (folder / "run-abcd.wandb").touch()
    _, *arguments = sync_command(folder).split()
    # A process of its own: here W&B may have been told to be silent.
    ran = subprocess.run(
        [sys.executable, "-m", "wandb", *arguments, "--dry-run"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Would sync 1 run(s)" in ran.stdout + ran.stderr


def test_a_process_that_ended_before_the_end_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(wandb, "teardown", leave)
    monkeypatch.setattr(WandbRun, "_start", lambda self: None)
    config = TrackingConfig(name="x", wandb_mode="offline", wait_seconds=30)
    WandbRun(config, RunIdentity("n", "g"), folder=tmp_path, settings={}).finish(0)
    (line,) = capsys.readouterr().err.splitlines()
    assert "has ended with -9" in line
