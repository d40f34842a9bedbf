"""Tracking: the same metrics in metrics.jsonl and in W&B, and no secret in any file."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.progress import Progress

from judge_lightning.errors import UserError
from pipelines.config import TrackingConfig
from pipelines.tracking import RateColumn, RunTracker, check_tracking

SECRET = "0123456789abcdef" * 5


def local(folder: Path) -> RunTracker:
    config = TrackingConfig(name="none", wandb_mode="disabled")
    return RunTracker(config, folder=folder, name="n", group="g", settings={})


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(UserError, match="offline, online, disabled"):
        check_tracking(TrackingConfig(name="x", wandb_mode="of"))


def test_a_metric_that_is_no_number_is_recorded_as_null_and_stays_out_of_the_manifest(
    tmp_path: Path,
) -> None:
    with local(tmp_path) as tracker:
        recorder = tracker.recorder("train")
        recorder.metric("loss", 0.5, step=1)
        recorder.metric("loss", math.nan, step=2)
    assert [line["value"] for line in lines(tmp_path)] == [0.5, None]
    assert recorder.metrics == {"loss": 0.5}


def test_metrics_are_on_disk_at_once(tmp_path: Path) -> None:
    with local(tmp_path) as tracker:
        tracker.recorder("mine").metric("accuracy", 0.5)
        assert lines(tmp_path)[0]["metric"] == "mine/accuracy"


def test_progress_passes_items_through_and_is_quiet_without_a_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with local(tmp_path) as tracker:
        items = list(tracker.recorder("mine").progress(range(3), total=3, unit="shards"))
    assert items == [0, 1, 2]
    assert capfd.readouterr() == ("", "")


def test_progress_shows_rate_and_remaining_time_on_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with local(tmp_path) as tracker:
        list(tracker.recorder("mine").progress(range(3), total=5, unit="shards", done=2))
    shown = capsys.readouterr().err
    assert "mine" in shown
    assert "5/5" in shown


def test_the_rate_is_that_since_the_bar_was_shown_however_long_ago_the_last_item_was() -> None:
    now = 0.0
    bar = Progress(disable=True, get_time=lambda: now)
    bar.add_task("decode", total=12, completed=2)
    (task,) = bar.tasks
    column = RateColumn("prompts", done=2)
    now = 90.0
    assert column.render(task).plain == "1:30 elapsed"
    bar.update(task.id, completed=4)
    now = 100.0
    assert column.render(task).plain == "0.02 prompts/s, 6:40 left"


def test_without_a_total_the_time_that_has_gone_is_told() -> None:
    now = 0.0
    bar = Progress(disable=True, get_time=lambda: now)
    bar.add_task("prompts", total=None)
    (task,) = bar.tasks
    bar.update(task.id, completed=8)
    now = 4000.0
    assert RateColumn("prompt", done=0).render(task).plain == "0.002 prompt/s, 1:06:40 elapsed"


def test_lightning_logs_into_the_same_record(tmp_path: Path) -> None:
    with local(tmp_path) as tracker:
        logger = tracker.recorder("train").lightning_logger()
        logger.log_metrics({"loss": 0.25, "epoch": 1}, step=3)
    assert [(row["metric"], row["value"], row["step"]) for row in lines(tmp_path)] == [
        ("train/loss", 0.25, 3)
    ]


def test_without_wandb_it_is_not_even_imported(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from pipelines.config import TrackingConfig\n"
        "from pipelines.tracking import RunTracker\n"
        "config = TrackingConfig(name='none', wandb_mode='disabled')\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "with RunTracker(config, folder=folder, name='n', group='g', settings={}) as tracker:\n"
        "    tracker.recorder('mine').metric('x', 1.0)\n"
        "assert 'wandb' not in sys.modules\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])


def test_an_offline_run_mirrors_metrics_and_artifacts_quietly_and_keeps_the_key_secret(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_API_KEY", SECRET)
    for variable in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR"):
        monkeypatch.delenv(variable, raising=False)
    tiny.config.tracking.wandb_mode = "offline"
    results = tiny.run()

    assert "WANDB_CACHE_DIR" not in os.environ
    assert capfd.readouterr() == ("", "")
    (record,) = (tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb")
    content = record.read_bytes()
    for expected in ("numbers/count", "total/loss", "total/step"):
        assert expected.encode() in content
    for result in results:
        assert result.artifact.key.encode() in content
        assert result.artifact.manifest.wandb in record.name
    assert not any(
        SECRET.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
    )
