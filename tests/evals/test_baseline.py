"""What asks no judge is decoded once for a sweep, and every job's answers are the same as alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from evals.decoders import DECODERS
from evals.generations import read_generations, read_timings
from judge_lightning.errors import UserError
from pipelines.config import RunConfig, SourceConfig
from pipelines.stage import StageContext
from pipelines.stages.baseline import Baseline
from pipelines.stages.decode import Decode
from tests.evals.tiny_run import run, tiny_run


@pytest.fixture
def config(pair_folder: Path) -> RunConfig:
    config = tiny_run(pair_folder)
    return replace(config, engine=replace(config.engine, share_baselines=True))


@pytest.fixture
def baseline(config: RunConfig, prompts_folder: Path, tmp_path: Path) -> StageContext:
    return run(Baseline(), config, tmp_path / "baseline", prompts=prompts_folder)


def test_the_baseline_is_everything_but_the_judge(baseline: StageContext) -> None:
    decoders = {row.decoder for row in read_timings(baseline.work)}
    assert decoders == set(DECODERS) - {"judge"}
    assert list(read_generations(baseline.work, "judge")) == []


def test_a_job_takes_the_baseline_and_writes_what_it_would_have_written_alone(
    config: RunConfig, baseline: StageContext, prompts_folder: Path, tmp_path: Path
) -> None:
    folders = {"prompts": prompts_folder, "calibrate": tmp_path}
    alone = run(Decode(), config, tmp_path / "alone", **folders)
    shared = run(Decode(), config, tmp_path / "shared", baseline=baseline.work, **folders)
    for name in DECODERS:
        assert list(read_generations(shared.work, name)) == list(read_generations(alone.work, name))
    timed = {(row.decoder, row.prompt_id) for row in read_timings(shared.work)}
    assert timed == {(row.decoder, row.prompt_id) for row in read_timings(alone.work)}
    taken = [row for row in read_timings(shared.work) if row.decoder == "target"]
    assert taken == [row for row in read_timings(baseline.work) if row.decoder == "target"]


def test_a_job_that_was_cut_short_takes_the_baseline_once(
    config: RunConfig, baseline: StageContext, prompts_folder: Path, tmp_path: Path
) -> None:
    folders = {"prompts": prompts_folder, "calibrate": tmp_path, "baseline": baseline.work}
    first = run(Decode(), config, tmp_path / "decode", **folders)
    before = {path.name: path.read_bytes() for path in first.work.glob("*.jsonl")}
    run(Decode(), config, tmp_path / "decode", **folders)
    assert {path.name: path.read_bytes() for path in first.work.glob("*.jsonl")} == before


def test_a_judge_does_not_change_the_baselines_key(config: RunConfig) -> None:
    other = replace(config, engine=replace(config.engine, judge_path=None))
    assert Baseline().settings(config) == Baseline().settings(other)


def test_chosen_families_alone_are_answered(
    config: RunConfig, prompts_folder: Path, tmp_path: Path
) -> None:
    config = replace(config, engine=replace(config.engine, families=["word"]))
    context = run(Baseline(), config, tmp_path / "baseline", prompts=prompts_folder)
    assert {row.family for row in read_generations(context.work, "target")} == {"word"}


@pytest.mark.parametrize(
    ("families", "message"), [(["nope"], "has the family 'nope'"), (["code"], "headline")]
)
def test_families_without_the_headline_or_without_a_source_are_refused(
    config: RunConfig, families: list[str], message: str
) -> None:
    for family in ("word", "code"):
        config.data.sources[family] = SourceConfig(format="micro", family=family)
    config = replace(config, engine=replace(config.engine, families=families))
    with pytest.raises(UserError, match=message):
        Decode().validate(config)
