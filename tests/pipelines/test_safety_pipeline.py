"""Flagged texts in a run: which stages it has, and which artifacts it shares."""

from __future__ import annotations

from pathlib import Path

from judge_lightning.models.machine import parse_machine
from pipelines.workloads import plan_stages
from tests.pipelines.test_acceptance_pipeline import config_of, keys


def test_the_quickstart_can_have_the_section_too() -> None:
    plain, checked = keys("+exp=quickstart"), keys("+exp=quickstart", "safety=micro")
    assert set(checked) - set(plain) == {"safety"}
    assert {name for name in plain if plain[name] != checked[name]} == {"report"}


def test_guarded_negatives_change_nothing_before_the_data_set() -> None:
    before, after = (
        keys("+exp=safety", f"dataset.guarded={path}") for path in ("null", "micro:flagged_train")
    )
    same = {name for name in before if before[name] == after[name]}
    assert same == {"prompts", "mine", "annotate", "baseline"}


def test_without_guarded_negatives_the_judge_is_the_quickstarts_own() -> None:
    ours, quickstart = keys("+exp=safety"), keys("+exp=quickstart")
    shared = ("prompts", "mine", "annotate", "dataset", "embed", "train", "calibrate")
    assert {name: ours[name] for name in shared} == {name: quickstart[name] for name in shared}


def test_a_judge_that_is_there_needs_no_other_stage(tmp_path: Path) -> None:
    for name in ("judge.safetensors", "judge_config.json"):
        (tmp_path / name).write_text("{}")
    asked = keys("+exp=safety", "pipeline=safety", f"engine.judge_path={tmp_path}")
    assert list(asked) == ["safety"]
    assert list(keys("+exp=safety", "pipeline=safety"))[-2:] == ["calibrate", "safety"]


def test_the_memory_is_reckoned_for_it() -> None:
    config = config_of("+exp=405b_judge", "safety=micro")
    plans = plan_stages(config, ["safety"], parse_machine("8 x 80 GiB", is_gpu=True))
    assert [plan.workload for plan in plans] == ["safety"]
