"""Runs an experiment: ``python -m pipelines.run +exp=NAME [field=value ...]``.

Exit status: 0 done, 1 failed, 2 the command or the configuration is wrong, 3 done and refused by
the gate, 130 interrupted.
``HYDRA_FULL_ERROR=1`` adds the traceback.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from pipelines.composition import CONF, as_user_error, typed_config
from pipelines.config import RunConfig, register_schemas
from pipelines.crew.hiring import hired_crew
from pipelines.execution import StageError, StageResult, execute
from pipelines.gate import GateRefusedError, require_passed
from pipelines.graph import discover_stages, stages_of_pipeline
from pipelines.memory import MemoryWatch
from pipelines.multirun.ending import FAILED, INTERRUPTED, REFUSED, USERS_MISTAKE, SweepError
from pipelines.multirun.places import require_one_run
from pipelines.multirun.record import SweepJob
from pipelines.plan import Plan, PlannedStage, make_plan, require_inputs
from pipelines.plan_view import print_plan
from pipelines.preflight import in_bytes, validate_run
from pipelines.run_folder import REPORT, TERMINAL, Cost, RunFolder
from pipelines.store import ArtifactStore
from pipelines.store.opening import open_store
from pipelines.terminal import print_error, print_results, print_stage
from pipelines.tracking import RunTracker


def main(sweep_job: SweepJob | None = None) -> None:
    """Composes the configuration of the command line, once or for each job of a multirun.

    Args:
        sweep_job: What it is a job of, where a multirun has started a process for it.
    """
    show_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    _quiet_libraries()
    register_schemas()
    started = datetime.now()
    statuses = [0]

    @hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
    def job(composed: DictConfig) -> int:
        status = status_of(partial(run, composed, started, sweep_job), show_traceback)
        statuses.append(status)
        return status

    try:
        with _errors_from_hydra(), _sweep_scratch():
            statuses.append(status_of(job, show_traceback))
    except (KeyboardInterrupt, SystemExit) as stop:
        # Lightning answers Ctrl-C by leaving the process with status 1.
        if not isinstance(stop.__context__ or stop, KeyboardInterrupt):
            raise
        print_error("interrupted; the same command goes on from the last finished shard")
        statuses.append(INTERRUPTED)
    sys.exit(max(statuses))


def run(composed: DictConfig, started: datetime, sweep_job: SweepJob | None = None) -> None:
    """One run: validate, plan, execute. ``started`` names its output folder."""
    config = typed_config(composed)
    job = None if config.dry_run else sweep_job or _job_in_turn()
    try:
        summary = validate_and_carry_out(config, composed, started, job)
    except Exception as error:
        if job is not None:
            job.failed(str(as_user_error(error) or error) or type(error).__name__)
        raise
    require_passed(summary)


def validate_and_carry_out(
    config: RunConfig, composed: DictConfig, started: datetime, job: SweepJob | None
) -> dict[str, Any]:
    """What can be known to be wrong is said before anything is written; the run's summary."""
    order = stages_of_pipeline(config.pipeline, discover_stages())
    store = open_store(config)
    if job is None:
        require_one_run(config.launch)
    plan = make_plan(config, order, store)
    validate_run(config, plan)
    if config.dry_run:
        print_plan(plan, config)
        return {}
    require_inputs(plan)
    with nullcontext(False) if job is None else job.alone() as waited:
        if job is not None and waited and job.finished_with() == plan.keys:
            print("the other process has finished it", flush=True)
            return job.summary()
        folder = RunFolder.create(
            config,
            plan,
            composed,
            started,
            job_folder=None if job is None else job.folder,
            overrides=HydraConfig.get().overrides.task,
        )
        try:
            return carry_out(plan, config, store, folder, in_sweep=job is not None)
        except Exception as error:
            folder.failed(str(error) or type(error).__name__)
            raise


def carry_out(
    plan: Plan, config: RunConfig, store: ArtifactStore, folder: RunFolder, *, in_sweep: bool
) -> dict[str, Any]:
    """Executes the plan, one printed line per stage; shows what the report found and returns it."""
    summary: dict[str, Any] = {}
    width = max(len(planned.name) for planned in plan.selected)

    def on_done(result: StageResult) -> None:
        folder.stage_done(result.planned, cached=result.cached, seconds=result.seconds)
        print_stage(result.line(width), cached=result.cached)
        last = result.planned is plan.selected[-1]
        if last and (result.artifact.path / TERMINAL).is_file():
            summary.update(folder.take_report(result.artifact.path))
            tracker.results(summary, folder.figures(), folder.path / REPORT)
            table = (result.artifact.path / TERMINAL).read_text(encoding="utf-8").strip("\n")
            print_results(f"\n{table}\n")

    def on_wait(planned: PlannedStage) -> None:
        print(f"{planned.name}: another process is at it; waiting for its artifact", flush=True)

    began = time.perf_counter()
    with (
        MemoryWatch() as memory,
        RunTracker(
            config.tracking,
            folder=folder.path,
            settings=asdict(config),
            **_wandb_names(config, folder.path, in_sweep=in_sweep),
        ) as tracker,
        hired_crew(config, plan) as crew,
    ):
        execute(plan, config, store, tracker, on_done=on_done, on_wait=on_wait, crew=crew)
        cost = Cost(round(time.perf_counter() - began, 3), memory.peak)
        tracker.record("run", asdict(cost))
    folder.finished(cost)
    took = f"{cost.seconds:.0f} s, at most {in_bytes(cost.peak_memory)} of memory"
    print(f"results: {folder.path} ({took})", flush=True)
    return summary


def status_of(action: Callable[[], object], show_traceback: bool) -> int:
    """Calls ``action`` and turns an exception into one line on stderr and an exit status."""
    try:
        action()
        return 0
    except Exception as error:
        if isinstance(error, SweepError):
            return error.status
        if show_traceback:
            traceback.print_exc()
        users_mistake = as_user_error(error)
        if users_mistake is not None:
            print_error(str(users_mistake))
            return USERS_MISTAKE
        if isinstance(error, GateRefusedError):
            print_error(f"refused by the gate: {error}")
            return REFUSED
        reason = str(error) if isinstance(error, StageError) else f"{type(error).__name__}: {error}"
        print_error(f"{reason} (HYDRA_FULL_ERROR=1 shows where; a rerun goes on from here)")
        return FAILED


def _wandb_names(config: RunConfig, folder: Path, *, in_sweep: bool) -> dict[str, Any]:
    """How W&B calls and groups a run: by experiment, and a sweep's jobs by sweep."""
    tags = [config.exp, config.pair.name]
    if not in_sweep:
        return {"name": f"{config.exp}-{folder.name}", "group": config.exp, "tags": tags}
    sweep = f"{config.exp}-{folder.parent.name}"
    return {"name": f"{sweep}-{folder.name}", "group": sweep, "kind": "sweep", "tags": tags}


def _job_in_turn() -> SweepJob | None:
    """The job that the launcher runs in this process; None for a single run."""
    told = HydraConfig.get()
    if told.mode is not RunMode.MULTIRUN:
        return None
    return SweepJob(Path(told.sweep.dir), int(told.job.num))


@contextmanager
def _errors_from_hydra() -> Iterator[None]:
    """Has Hydra raise its errors, which it otherwise prints over several lines with status 1."""
    before = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = before


@contextmanager
def _sweep_scratch() -> Iterator[None]:
    """Gives Hydra a folder for the files that it insists on writing for a multirun."""
    with tempfile.TemporaryDirectory(prefix="judge-lightning-") as folder:
        OmegaConf.register_new_resolver("sweep_scratch", lambda: folder, replace=True)
        yield


def _quiet_libraries() -> None:
    """Leaves the terminal to the run's own lines; the user's settings win."""
    settings = {
        "TRANSFORMERS_VERBOSITY": "error",
        "DATASETS_VERBOSITY": "error",
        "TOKENIZERS_PARALLELISM": "false",
    }
    if not sys.stderr.isatty():
        # A person wants to see how far a download of hundreds of gigabytes is; a log does not.
        settings["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
        settings["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
    for variable, value in settings.items():
        os.environ.setdefault(variable, value)
    for library in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(library).setLevel(logging.WARNING)


if __name__ == "__main__":
    main()
