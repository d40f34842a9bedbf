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
from contextlib import contextmanager
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
from pipelines.plan import Plan, PlannedStage, make_plan, require_inputs
from pipelines.plan_view import print_plan
from pipelines.preflight import in_bytes, validate_run
from pipelines.run_folder import REPORT, TERMINAL, Cost, RunFolder
from pipelines.store import ArtifactStore
from pipelines.terminal import open_console, print_results, print_stage
from pipelines.tracking import RunTracker, report_sweep

FAILED, USERS_MISTAKE, REFUSED, INTERRUPTED = 1, 2, 3, 130


def main() -> None:
    """Composes the configuration of the command line, once or for each job of a multirun."""
    show_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    _quiet_libraries()
    register_schemas()
    started = datetime.now()
    statuses = [0]
    multiruns: set[Path] = set()

    @hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
    def job(composed: DictConfig) -> None:
        statuses.append(status_of(lambda: run(composed, started, multiruns), show_traceback))

    try:
        with _errors_from_hydra(), _sweep_scratch():
            statuses.append(status_of(job, show_traceback))
    except (KeyboardInterrupt, SystemExit) as stop:
        # Lightning answers Ctrl-C by leaving the process with status 1.
        if not isinstance(stop.__context__ or stop, KeyboardInterrupt):
            raise
        print_error("interrupted; the same command goes on from the last finished shard")
        statuses.append(INTERRUPTED)
    statuses += [
        status_of(partial(show_sweep, folder), show_traceback) for folder in sorted(multiruns)
    ]
    sys.exit(max(statuses))


def run(composed: DictConfig, started: datetime, multiruns: set[Path] | None = None) -> None:
    """One run: validate, plan, execute. ``started`` names its output folder.

    A job of a multirun adds the folder of them all to ``multiruns``.
    """
    config = typed_config(composed)
    order = stages_of_pipeline(config.pipeline, discover_stages())
    store = ArtifactStore(Path(config.artifacts_dir))
    plan = make_plan(config, order, store)
    validate_run(config, plan)
    if config.dry_run:
        print_plan(plan, config)
        return
    require_inputs(plan)
    folder = RunFolder.create(
        config,
        plan,
        composed,
        started,
        sweep_job=_sweep_job(),
        overrides=HydraConfig.get().overrides.task,
    )
    if multiruns is not None and _sweep_job() is not None:
        multiruns.add(folder.path.parent)
    try:
        summary = carry_out(plan, config, store, folder)
    except Exception as error:
        folder.failed(str(error) or type(error).__name__)
        raise
    require_passed(summary)


def carry_out(
    plan: Plan, config: RunConfig, store: ArtifactStore, folder: RunFolder
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
            **_wandb_names(config, folder.path),
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


def show_sweep(folder: Path) -> None:
    """Puts a multirun's jobs on one page, and prints their table."""
    from pipelines.sweep.terminal import print_sweep
    from pipelines.sweep.writing import point_latest_to, write_sweep

    print_sweep(write_sweep(folder), open_console())
    point_latest_to(folder)
    print(f"results: {folder / REPORT}", flush=True)
    if line := report_sweep(folder):
        print(line, flush=True)


def status_of(action: Callable[[], object], show_traceback: bool) -> int:
    """Calls ``action`` and turns an exception into one line on stderr and an exit status."""
    try:
        action()
        return 0
    except Exception as error:
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


def print_error(message: str) -> None:
    """One line on stderr, whatever the message contains."""
    print("error: " + " ".join(message.split()), file=sys.stderr, flush=True)


def _wandb_names(config: RunConfig, folder: Path) -> dict[str, Any]:
    """How W&B calls and groups a run: by experiment, and a sweep's jobs by sweep."""
    tags = [config.exp, config.pair.name]
    if _sweep_job() is None:
        return {"name": f"{config.exp}-{folder.name}", "group": config.exp, "tags": tags}
    sweep = f"{config.exp}-{folder.parent.name}"
    return {"name": f"{sweep}-{folder.name}", "group": sweep, "kind": "sweep", "tags": tags}


def _sweep_job() -> str | None:
    """The number of this job when it is one of a multirun."""
    hydra_config = HydraConfig.get()
    return str(hydra_config.job.num) if hydra_config.mode is RunMode.MULTIRUN else None


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
