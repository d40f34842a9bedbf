"""A multirun from its jobs' overrides to the page over all of them."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import Timeout
from hydra.core.utils import setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from judge_lightning.errors import UserError
from pipelines.composition import as_user_error, typed_config
from pipelines.config import LaunchConfig, RunConfig
from pipelines.gate import GateRefusedError, require_passed
from pipelines.graph import discover_stages, stages_of_pipeline
from pipelines.multirun.ending import REFUSED, USERS_MISTAKE, Ended, SweepError
from pipelines.multirun.places import Place, place_of, run_in_turn
from pipelines.multirun.record import SweepJob, SweepRecord, identity_of, newest_sweep
from pipelines.plan import plan_keys
from pipelines.preflight import check_writable
from pipelines.run_folder import REPORT, in_name, new_folder
from pipelines.terminal import open_console, print_error
from pipelines.tracking import report_sweep


@dataclass(frozen=True)
class ComposedJob:
    """A job before it runs.

    Attributes:
        overrides: What one would type for it alone.
        full: Its configuration with Hydra's part.
    """

    number: int
    overrides: Sequence[str]
    full: DictConfig
    config: RunConfig

    @property
    def own(self) -> DictConfig:
        """Its configuration without Hydra's part."""
        return OmegaConf.masked_copy(self.full, [str(key) for key in self.full if key != "hydra"])


class Multirun:
    """The jobs of one command; ``settings`` are those of ``hydra.launcher``."""

    def __init__(
        self,
        context: HydraContext,
        task: TaskFunction,
        master: DictConfig,
        settings: Mapping[str, Any],
    ) -> None:
        self._context, self._task, self._master = context, task, master
        self._settings = settings
        setup_globals()

    def run(self, overrides: Sequence[Sequence[str]]) -> None:
        """Runs what is not finished, then shows each experiment's jobs on a page.

        Raises:
            SweepError: Not every job ended well.
            UserError: Something is wrong with all jobs.
        """
        jobs = {number: self._composed(number, one) for number, one in enumerate(overrides)}
        launch = _the_same_launch([job.config for job in jobs.values()])
        place = place_of(jobs[0].config, self._settings)
        if jobs[0].config.dry_run:
            here = run_in_turn(self._context, self._task, [job.full for job in jobs.values()])
            _raise_worst([status for _, status in here])
            return
        check_writable("output_dir", Path(jobs[0].config.output_dir))
        with ExitStack() as held:
            sweeps = [held.enter_context(_open(one, launch)) for one in _by_experiment(jobs)]
            statuses = self._run_unfinished(sweeps, jobs, place)
        _raise_worst(statuses)

    def _composed(self, number: int, overrides: Sequence[str]) -> ComposedJob:
        full = self._context.config_loader.load_sweep_config(self._master, list(overrides))
        typed = [str(one) for one in full.hydra.overrides.task]
        job = ComposedJob(number, typed, full, RunConfig())
        return ComposedJob(number, typed, full, typed_config(job.own))

    def _run_unfinished(
        self, sweeps: Sequence[SweepRecord], jobs: Mapping[int, ComposedJob], place: Place | None
    ) -> list[int]:
        names = _names(jobs)
        statuses: list[int] = []
        todo: list[SweepJob] = []
        for sweep in sweeps:
            skipped, changed = _finished(sweep, jobs)
            print(_beginning(sweep, len(skipped)), flush=True)
            for job in changed:
                print(f"{names[job.number]}: finished, but means another thing by now; runs again")
                job.put_aside()
            for job, status in skipped.items():
                print(f"{names[job.number]}: finished at {job.finished_at()}, skipped", flush=True)
                statuses.append(status)
            todo += [job for job in sweep.jobs if job not in skipped]
        for job in todo:
            job.prepare(jobs[job.number].own, jobs[job.number].overrides)
        try:
            if place is None:
                ended = self._in_turn(todo, jobs, names)
            else:
                ended = _elsewhere(place, todo, names)
            with closing(ended):
                statuses.extend(ended)
        except UserError:
            statuses.append(USERS_MISTAKE)
            raise
        finally:
            for sweep in sweeps:
                if not _drop_if_refused(sweep, statuses):
                    show_sweep(sweep.folder)
        return statuses

    def _in_turn(
        self, todo: Sequence[SweepJob], jobs: Mapping[int, ComposedJob], names: Mapping[int, str]
    ) -> Generator[int, None, None]:
        for job in todo:
            if len(jobs) > 1:
                print(f"{names[job.number]}:", flush=True)
            full = jobs[job.number].full
            (status,) = (s for _, s in run_in_turn(self._context, self._task, [full], job))
            yield status


def show_sweep(folder: Path) -> None:
    """Puts a sweep's jobs on one page, and prints their table."""
    from pipelines.sweep.terminal import print_sweep
    from pipelines.sweep.writing import point_latest_to, write_sweep

    print_sweep(write_sweep(folder), open_console())
    point_latest_to(folder)
    print(f"results: {folder / REPORT}", flush=True)
    if line := report_sweep(folder):
        print(line, flush=True)


def _elsewhere(
    place: Place, todo: Sequence[SweepJob], names: Mapping[int, str]
) -> Generator[int, None, None]:
    """Runs jobs that have no terminal: one line when a job begins, and one when it has ended."""
    if not todo:
        return
    print(place.describe(todo), flush=True)
    with closing(place.run(todo)) as results:
        for ended in results:
            _tell(ended, names[ended.job.number])
            yield ended.status


def _tell(ended: Ended, name: str) -> None:
    if ended.status in (0, REFUSED):
        seconds = (ended.job.summary().get("run") or {}).get("seconds", 0.0)
        refused = "" if ended.status == 0 else ", and refused by the gate"
        print(f"{name}: finished in {seconds:.0f} s{refused}", flush=True)
        return
    reason = ended.why()
    if ended.job.finished_with() is None:
        ended.job.failed(reason)
    log = "" if ended.status == USERS_MISTAKE else f" (its log: {ended.job.log})"
    print_error(f"{name}: {reason}{log}")


def _raise_worst(statuses: Sequence[int]) -> None:
    worst = max(statuses, default=0)
    if worst:
        raise SweepError(worst)


def _the_same_launch(configs: Sequence[RunConfig]) -> LaunchConfig:
    first = configs[0].launch
    for config in configs:
        if config.launch != first:
            raise UserError(
                "launch", "it is not the same for all jobs", "sweep over other settings"
            )
    return first


def _by_experiment(jobs: Mapping[int, ComposedJob]) -> list[dict[int, ComposedJob]]:
    found: dict[tuple[str, str], dict[int, ComposedJob]] = {}
    for number, job in jobs.items():
        found.setdefault((job.config.output_dir, job.config.exp), {})[number] = job
    return list(found.values())


@contextmanager
def _open(jobs: Mapping[int, ComposedJob], launch: LaunchConfig) -> Iterator[SweepRecord]:
    """The sweep to go on with, else a new one; no other command gets it meanwhile."""
    first = next(iter(jobs.values())).config
    experiment = Path(first.output_dir) / first.exp
    overrides = {number: job.overrides for number, job in jobs.items()}
    identity = identity_of(overrides)
    with ExitStack() as held:
        found = newest_sweep(experiment, identity) if launch.resume else None
        if found is not None and not found.is_finished:
            try:
                held.enter_context(found.lock())
            except Timeout:
                print(f"another command is at {found.folder}: a folder of its own for this one")
                found = None
        else:
            found = None
        if found is None:
            record = SweepRecord(_new_sweep_folder(experiment), identity, overrides)
            held.enter_context(record.lock())
        else:
            record = SweepRecord(found.folder, identity, overrides)
        record.write()
        yield record


def _new_sweep_folder(experiment: Path) -> Path:
    try:
        return new_folder(experiment, f"multirun-{in_name(datetime.now())}")
    except OSError as error:
        raise UserError(
            "output_dir",
            f"cannot write to {error.filename or experiment} ({error.strerror})",
            "give a folder that you may write to: output_dir=PATH",
        ) from error


def _finished(
    sweep: SweepRecord, jobs: Mapping[int, ComposedJob]
) -> tuple[dict[SweepJob, int], list[SweepJob]]:
    """The finished jobs that mean what they meant, with their statuses; and those that do not."""
    skipped: dict[SweepJob, int] = {}
    changed: list[SweepJob] = []
    for job in sweep.jobs:
        keys = job.finished_with()
        if keys is not None and keys == _keys_of(jobs[job.number].config):
            skipped[job] = _gate_status(job)
        elif keys is not None:
            changed.append(job)
    return skipped, changed


def _keys_of(config: RunConfig) -> Mapping[str, str] | None:
    try:
        return plan_keys(config, stages_of_pipeline(config.pipeline, discover_stages()))
    except Exception as error:
        if as_user_error(error) is None:
            raise
        return None  # It runs again, and says so itself.


def _gate_status(job: SweepJob) -> int:
    try:
        require_passed(job.summary())
    except GateRefusedError:
        return REFUSED
    return 0


def _beginning(sweep: SweepRecord, finished: int) -> str:
    if finished:
        return f"going on in {sweep.folder}: {finished} of {len(sweep.jobs)} jobs are finished"
    count = len(sweep.jobs)
    return f"sweep of {count} job{'' if count == 1 else 's'} in {sweep.folder}"


def _names(jobs: Mapping[int, ComposedJob]) -> dict[int, str]:
    """Each job by its number and by what was typed for it alone."""
    typed = [set(job.overrides) for job in jobs.values()]
    shared = set.intersection(*typed)
    names = {}
    for number, job in jobs.items():
        own = ", ".join(one for one in job.overrides if one not in shared)
        names[number] = f"job {number} ({own})" if own else f"job {number}"
    return names


def _drop_if_refused(sweep: SweepRecord, statuses: Sequence[int]) -> bool:
    """Deletes a sweep in which nothing could begin, for what was typed is wrong."""
    began = any(job.summary().get("stages") for job in sweep.jobs)
    if began or set(statuses) != {USERS_MISTAKE}:
        return False
    shutil.rmtree(sweep.folder)
    return True
