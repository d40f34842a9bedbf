"""Decoding says where its prompts are unlike those of the calibration."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from evals.generations import read_generations
from judge_lightning.shift import ShiftReference
from pipelines.config import RunConfig
from pipelines.stages.decode import Decode
from tests.evals.tiny_run import run, tiny_run


@pytest.fixture
def watched_config(pair_folder: Path, tmp_path: Path) -> RunConfig:
    """A judge whose folder describes data that no answer of this pair looks like."""
    judge = tmp_path / "watched"
    shutil.copytree(pair_folder / "judge", judge)
    elsewhere = ShiftReference(torch.full((32,), 1e3), torch.ones(32), 4.0, 198, 199)
    elsewhere.save(judge)
    config = tiny_run(pair_folder)
    config.engine.judge_path = str(judge)
    return config


def test_decoding_warns_of_prompts_unlike_the_calibrations(
    watched_config: RunConfig,
    prompts_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folders = {"prompts": prompts_folder, "calibrate": tmp_path}
    decoded = run(Decode(), watched_config, tmp_path / "decode", **folders)

    shift = json.loads((decoded.work / "shift.json").read_text())
    assert set(shift) == {"judge"}
    assert shift["judge"]["word"]["shifted"]
    assert "warning: judge: the word prompts are unlike" in capsys.readouterr().out
    assert decoded.recorder.values["judge/word/shift_flagged"] >= 1  # type: ignore[attr-defined]
    assert all(row.shift is None for row in read_generations(decoded.work, "exact"))


def test_a_watched_decoder_writes_what_an_unwatched_one_writes(
    watched_config: RunConfig, pair_folder: Path, prompts_folder: Path, tmp_path: Path
) -> None:
    folders = {"prompts": prompts_folder, "calibrate": tmp_path}
    decoded = run(Decode(), tiny_run(pair_folder), tmp_path / "decode", **folders)
    watched = run(Decode(), watched_config, tmp_path / "again", **folders)

    before = [row.trace for row in read_generations(decoded.work, "judge")]
    assert [row.trace for row in read_generations(watched.work, "judge")] == before


def test_a_shift_file_changes_the_key_of_decoding(
    watched_config: RunConfig, pair_folder: Path
) -> None:
    watched = Decode().settings(watched_config)["judge"]
    watched_config.engine.judge_path = str(pair_folder / "judge")

    assert Decode().settings(watched_config)["judge"] != watched
