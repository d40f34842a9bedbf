"""The acceptance pipeline: which stages it has, and which artifacts it shares."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from judge_lightning.models.machine import parse_machine
from pipelines.composition import CONF, typed_config
from pipelines.config import RunConfig, register_schemas
from pipelines.graph import discover_stages, stages_of_pipeline
from pipelines.plan import make_plan
from pipelines.store import ArtifactStore
from pipelines.workloads import plan_stages

OWN = ("acceptance=jsonl", "acceptance.texts.own.path=own.jsonl")


def config_of(*overrides: str) -> RunConfig:
    register_schemas()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return typed_config(compose("config", list(overrides)))


def keys(*overrides: str) -> dict[str, str]:
    config = config_of(*overrides)
    order = stages_of_pipeline(config.pipeline, discover_stages())
    plan = make_plan(config, order, ArtifactStore(Path("nowhere")))
    return {planned.name: planned.key for planned in plan.stages}


def test_everything_up_to_the_judge_is_the_quickstarts_own() -> None:
    ours, quickstart = keys("+exp=acceptance_analysis"), keys("+exp=quickstart")
    shared = ["prompts", "mine", "annotate", "dataset", "embed", "train", "calibrate"]
    assert list(ours) == [*shared, "acceptance", "report"]
    assert {name: ours[name] for name in shared} == {name: quickstart[name] for name in shared}


def test_text_of_ones_own_needs_no_other_stage() -> None:
    assert list(keys("+exp=acceptance_analysis", *OWN)) == ["acceptance", "report"]


def test_without_a_judge_only_what_the_texts_are_made_of_remains() -> None:
    without = keys("+exp=acceptance_analysis", "acceptance.judge=false")
    assert list(without) == ["prompts", "mine", "acceptance", "report"]
    mined = ("draft", "draft_sampled", "draft_small", "target")
    unmined = [f"~acceptance.texts.{name}" for name in mined]
    paraphrases = keys("+exp=acceptance_analysis", "acceptance.judge=false", *unmined)
    assert list(paraphrases) == ["prompts", "acceptance", "report"]


def test_answers_to_the_runs_prompts_need_the_prompts() -> None:
    asked = keys("+exp=acceptance_analysis", *OWN, "acceptance.texts.own.prompts=run")
    assert list(asked) == ["prompts", "acceptance", "report"]


def test_the_quickstart_can_have_the_section_too() -> None:
    plain, with_texts = keys("+exp=quickstart"), keys("+exp=quickstart", "acceptance=micro")
    assert set(with_texts) - set(plain) == {"acceptance"}
    changed = {name for name in plain if plain[name] != with_texts[name]}
    assert changed == {"report"}


@pytest.mark.parametrize("texts", [[], ["acceptance=micro"]])
def test_a_run_that_offers_texts_reckons_the_memory_for_it(texts: list[str]) -> None:
    config = config_of("+exp=405b_judge", *texts)
    plans = plan_stages(config, ["acceptance"], parse_machine("8 x 80 GiB", is_gpu=True))
    assert [plan.workload for plan in plans] == (["acceptance"] if texts else [])
