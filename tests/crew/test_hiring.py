"""A run hires a crew only where one is configured and has something to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from pipelines.composition import CONF, typed_config
from pipelines.config import RunConfig, register_schemas
from pipelines.crew.hiring import check_launch, hired_crew
from pipelines.graph import discover_stages, stages_of_pipeline
from pipelines.plan import Plan

ROOT = Path(__file__).parents[2]
IN_SHARDS = {
    "mine", "annotate", "embed", "decode", "baseline", "trials", "speed", "mt_answers",
}  # fmt: skip


def config_of(*overrides: str) -> RunConfig:
    register_schemas()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return typed_config(compose("config", ["+exp=quickstart", *overrides]))


def test_launch_ray_changes_nothing_of_a_stages_settings() -> None:
    here, away = config_of(), config_of("launch=ray", "launch.ray.gpus_per_replica=2")
    assert here.launch.ray is None
    assert away.launch.ray is not None
    for stage in stages_of_pipeline(here.pipeline, discover_stages()):
        if stage.wanted(here) and stage.name != "report":
            assert stage.settings(away) == stage.settings(here)


def test_the_stages_whose_shards_a_cluster_does() -> None:
    found = {name for name, stage in discover_stages().items() if stage.in_shards}
    assert found == IN_SHARDS


def test_nobody_is_hired_for_a_run_that_is_cached() -> None:
    with hired_crew(config_of("launch=ray"), Plan(())) as crew:
        assert crew is None


def test_a_local_run_imports_no_ray() -> None:
    code = "import sys, pipelines.run; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_wrong_numbers_are_refused_before_a_cluster_is_looked_for() -> None:
    from judge_lightning.errors import UserError

    with pytest.raises(UserError, match=r"^launch\.ray\.in_flight: is 0; give 1 or more$"):
        check_launch(config_of("launch=ray", "launch.ray.in_flight=0"))
    check_launch(config_of())
