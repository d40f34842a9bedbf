"""One W&B run, which nothing that happens to W&B can fail or hold up."""

from __future__ import annotations

import os
import secrets
import string
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judge_lightning.errors import UserError
from pipelines.config import TrackingConfig
from pipelines.plan import SHORT_KEY
from pipelines.store import Artifact
from pipelines.wandb_run import layout
from pipelines.wandb_run.artifacts import mirrored, mirrored_judge, put
from pipelines.wandb_run.connection import (
    end_service,
    first_line,
    reason_out_of_reach,
    reason_to_stay_offline,
    settle_in,
    tear_down,
)
from pipelines.wandb_run.courier import Courier
from pipelines.wandb_run.figures import native
from pipelines.wandb_run.publishing import (
    Subject,
    publish,
    publishing_command,
    relative_record,
    save_specification,
    sync_command,
)

START = 15.0
"""Seconds that a server has to take the run on; then it is recorded offline."""

SLACK = 10.0
"""Seconds beyond W&B's own limit after which its last call is given up."""

AT_ONCE = 2.0
"""Seconds for the last call where the server is known to be gone."""


RUN, SWEEP = "run", "sweep"
"""W&B's job types: a run by itself, and a job of a sweep, whose report is that of the sweep."""


@dataclass(frozen=True)
class RunIdentity:
    """How a run is called and found again.

    Attributes:
        group: What W&B groups: an experiment's runs, or the jobs of one sweep.
        kind: ``RUN`` or ``SWEEP``.
        tags: Added to those of the configuration.
    """

    name: str
    group: str
    kind: str = RUN
    tags: tuple[str, ...] = ()


class WandbRun:
    """One W&B run. Whatever happens to W&B costs its mirror, never the results.

    Where it was to be online and there is no key, no network or no answer, it is recorded offline,
    and one line says why and how it is sent later.

    Raises:
        UserError: The package is not there.
    """

    def __init__(
        self, config: TrackingConfig, identity: RunIdentity, *, folder: Path, settings: Any
    ) -> None:
        self._placed_here = settle_in(folder)
        try:
            import wandb
        except ImportError as error:
            raise UserError(
                "tracking.wandb_mode", f"wandb is not installed ({error})", "use tracking=none"
            ) from error
        self._wandb = wandb
        self._run: Any = None
        self._config, self._identity = config, identity
        self._folder, self._settings = folder, settings
        self._online = config.wandb_mode == "online"
        self._to_do_later = ""
        self._with_axis: set[str] = set()
        self._artifacts: dict[str, tuple[Artifact, bool]] = {}
        self.id = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))
        self._courier = Courier(self._give_up)
        self._courier.send(self._start)

    def log(self, stage: str, metrics: Mapping[str, float], step: int | None) -> None:
        """Records ``<stage>/<name>``, over ``<stage>/step`` when there is a step."""
        values = {f"{stage}/{name}": value for name, value in metrics.items()}
        if step is None:
            self._courier.send(lambda: self._put_down(values))
        else:
            self._courier.send(lambda: self._plot(stage, values, step))

    def mirror(self, artifact: Artifact, *, used: bool) -> None:
        """Mirrors an artifact: as an input when it was found and ``used``, else as an output.

        The same content is no new version, so one that was mirrored before costs nothing.
        """
        self._artifacts[artifact.stage] = (artifact, used)
        aliases = [artifact.key[:SHORT_KEY]]
        self._courier.send(
            lambda: put(self._run, mirrored(self._wandb, artifact), aliases, used=used)
        )

    def results(self, summary: Mapping[str, Any], figures: Mapping[str, Any], page: Path) -> None:
        """Puts the results into the run: ``summary.json``'s keys, the figures as tables and charts,
        the verdict as the run's notes, the page, and the judge that has decoded. Then W&B's own
        report is published where the run is online, and else put down beside the run.

        Args:
            page: The report as HTML; left out where it does not exist.
        """
        self._courier.send(lambda: self._run.summary.update(dict(summary)))
        self._courier.send(lambda: self._show(figures, page))
        judge = self._artifacts.get("certify") or self._artifacts.get("calibrate")
        if judge is not None and "decode" in self._artifacts:
            self._courier.send(lambda: self._name_judge(*judge))
        self._courier.send(self._report)

    def finish(self, exit_code: int) -> None:
        """Ends the run, and waits for what is still on its way as long as the settings allow.

        Offline it stays in the output folder until ``wandb sync``.
        """
        gone = self._out_of_reach()
        seconds = AT_ONCE if gone else self._config.wait_seconds + SLACK
        if not self._courier.close(seconds, lambda: self._end(exit_code)):
            self._warn(
                f"{gone or f'not done after {seconds:.0f} s'}; not everything was sent",
                self._sync_command(),
            )
            end_service(self._wandb)
        elif self._to_do_later:
            print(f"W&B: {self._to_do_later}", flush=True)
        for variable in self._placed_here:
            os.environ.pop(variable, None)

    def _start(self) -> None:
        reason = reason_to_stay_offline(self._wandb) if self._online else None
        if self._online and reason is None:
            try:
                self._init("online")
                print(f"W&B: {self._run.url}", flush=True)
                return
            except Exception as error:
                reason = first_line(error)
        self._online = False
        self._init("offline")
        if reason is not None:
            self._warn(f"{reason}; the run is recorded offline", self._sync_command())

    def _init(self, mode: str) -> None:
        wandb, identity = self._wandb, self._identity
        self._run = wandb.init(
            id=self.id,
            project=self._config.project,
            entity=self._config.entity,
            group=identity.group,
            job_type=identity.kind,
            name=identity.name,
            tags=[*dict.fromkeys([*self._config.tags, *identity.tags])],
            mode=mode,
            # By default init() returns a run that another job of the sweep has left unfinished.
            reinit="create_new",
            dir=self._folder,
            config=self._settings,
            settings=wandb.Settings(
                silent=True,
                console="off",
                # A remote's address may carry a password; the manifests name the commit.
                disable_git=True,
                disable_code=True,
                x_save_requirements=False,
                init_timeout=START,
                finish_timeout=self._config.wait_seconds,
            ),
        )

    def _put_down(self, values: Mapping[str, float]) -> None:
        seen = {name: value for name, value in values.items() if layout.has_panel(name)}
        if seen:
            self._run.log(seen)
        self._run.summary.update(dict(values))

    def _plot(self, stage: str, values: Mapping[str, float], step: int) -> None:
        axis = layout.step_axis(stage)
        if axis not in self._with_axis:
            self._run.define_metric(axis, hidden=True)
        for name in values.keys() - self._with_axis:
            self._run.define_metric(name, step_metric=axis, summary=layout.summary_of(name))
        self._with_axis |= {axis, *values}
        self._run.log({**values, axis: step})

    def _show(self, figures: Mapping[str, Any], page: Path) -> None:
        if sentence := figures.get("sentence"):
            self._run.notes = sentence
        values = native(self._wandb, figures)
        if page.is_file():
            values["report/page"] = self._wandb.Html(str(page))
        if values:
            self._run.log(values)

    def _name_judge(self, artifact: Artifact, used: bool) -> None:
        pair = str(self._settings.get("pair", {}).get("name", "pair"))
        model, aliases = mirrored_judge(self._wandb, pair, artifact)
        put(self._run, model, aliases, used=used)

    def _report(self) -> None:
        subject = Subject(
            project=self._config.project,
            entity=self._config.entity,
            group=self._identity.group,
            run=self.id,
            record=relative_record(Path(self._run.settings.sync_dir), self._folder),
        )
        try:
            command = save_specification(self._folder, subject)
        except ImportError:
            return  # The report is an extra of its own.
        if not self._online:
            self._to_do_later = command
        elif self._identity.kind == RUN:
            try:
                print(f"W&B report: {publish(self._folder, subject, self._run.entity)}", flush=True)
            except Exception as error:
                command = publishing_command(self._folder, subject)
                self._warn(f"no report ({first_line(error)})", f"`{command}` tries again")

    def _end(self, exit_code: int) -> None:
        try:
            if self._run is not None:
                self._run.finish(exit_code=exit_code)
        finally:
            # Offline, finish() returns before W&B's own process has written everything.
            # A thread that was given up leaves W&B to the next job of a sweep.
            if not self._courier.abandoned:
                tear_down(self._wandb)

    def _out_of_reach(self) -> str | None:
        if not self._online or self._run is None:
            return None
        return reason_out_of_reach(str(self._run.settings.base_url))

    def _sync_command(self) -> str:
        """A record is on disk in either mode. Of one that is being sent when W&B's own process is
        ended, the last few rows may be missing."""
        if self._run is None:
            return "metrics.jsonl has the numbers"
        command = sync_command(Path(self._run.settings.sync_dir))
        return f"`{command}` sends what is recorded"

    def _give_up(self, error: BaseException) -> None:
        if not self._courier.abandoned:
            self._warn(f"does not have everything ({first_line(error)})", "metrics.jsonl does")

    def _warn(self, what: str, remedy: str) -> None:
        print(f"warning: W&B: {what}; {remedy}", file=sys.stderr, flush=True)
