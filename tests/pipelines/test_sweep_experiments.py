"""Every sweep that is shipped: each of its jobs is a run that would be accepted."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from pipelines.composition import CONF, typed_config
from pipelines.config import RunConfig, register_schemas
from pipelines.graph import discover_stages, stages_of_pipeline
from pipelines.plan import make_plan
from pipelines.store import ArtifactStore


def jobs_of(path: Path) -> list[list[str]]:
    """The overrides of every job of the experiment in a file; empty where it is no sweep."""
    params = OmegaConf.select(OmegaConf.load(path), "hydra.sweeper.params") or {}
    choices = [[f"{field}={one}" for one in str(all_).split(",")] for field, all_ in params.items()]
    return [list(job) for job in itertools.product(*choices)] if choices else []


SWEEPS = {
    path.stem: jobs for path in sorted((CONF / "exp").glob("*.yaml")) if (jobs := jobs_of(path))
}
JOBS = [(sweep, job) for sweep, jobs in SWEEPS.items() for job in jobs]


def composed(sweep: str, job: list[str]) -> RunConfig:
    register_schemas()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return typed_config(compose("config", [f"+exp={sweep}", *job]))


def keys(config: RunConfig, store: ArtifactStore) -> dict[str, str]:
    plan = make_plan(config, stages_of_pipeline(config.pipeline, discover_stages()), store)
    return {planned.name: planned.key for planned in plan.selected}


@pytest.mark.parametrize(("sweep", "job"), JOBS, ids=[" ".join([s, *j]) for s, j in JOBS])
def test_every_job_is_a_run_whose_stages_agree(sweep: str, job: list[str]) -> None:
    config = composed(sweep, job)
    assert config.exp == sweep
    assert config.sweep.title, "a sweep says on its page what it is about"
    if not config.pair.target.path.startswith("micro:"):
        return  # Its models would have to be fetched.
    for stage in stages_of_pipeline(config.pipeline, discover_stages()):
        if stage.wanted(config):
            stage.validate(config)


@pytest.mark.parametrize(
    ("sweep", "shared"),
    [
        ("layer_ablation", {"mine", "annotate", "embed", "train", "baseline"}),
        ("weight_ablation", {"mine", "annotate", "embed", "baseline"}),
        ("size_ablation", {"mine", "annotate", "baseline"}),
        ("after_mistake_ablation", {"mine", "baseline"}),
        ("annotator_comparison", {"mine", "baseline"}),
        ("safety", {"mine", "annotate", "baseline"}),
    ],
)
def test_jobs_share_every_stage_before_what_tells_them_apart(
    sweep: str, shared: set[str], tmp_path: Path
) -> None:
    store = ArtifactStore(tmp_path)
    jobs = [keys(composed(sweep, job), store) for job in SWEEPS[sweep]]
    for stage in shared:
        assert len({job[stage] for job in jobs}) == 1, stage
    assert len({job["decode"] for job in jobs}) == len(jobs)


def test_a_court_is_mined_once_whichever_draft_decodes(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    jobs = [keys(composed("cross_drafter", job), store) for job in SWEEPS["cross_drafter"]]
    assert len(jobs) == 12
    assert len({job["train"] for job in jobs}) == 4, "one a court"
    assert len({job["baseline"] for job in jobs}) == 3, "one a pair"
