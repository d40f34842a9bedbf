"""The W&B side of tracking: the only file that imports wandb, and only when it is switched on."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from judge_lightning.errors import UserError
from pipelines.config import TrackingConfig
from pipelines.manifest import MANIFEST
from pipelines.store import Artifact

UPLOAD_UP_TO = 64 * 2**20
"""Larger artifacts (bytes) are mirrored by reference: their manifest travels, not their data."""


class WandbRun:
    """One W&B run. A failure of W&B after the start costs its mirror, never the results.

    Raises:
        UserError: W&B cannot be started as configured (no login, no network, no package).
    """

    def __init__(
        self, config: TrackingConfig, *, name: str, group: str, folder: Path, settings: Any
    ) -> None:
        self._placed_here = _settle_in(folder)
        try:
            import wandb

            self._wandb = wandb
            self._run = wandb.init(
                project=config.project,
                entity=config.entity,
                group=group,
                name=name,
                tags=config.tags,
                mode="online" if config.wandb_mode == "online" else "offline",
                dir=folder,
                config=settings,
                settings=wandb.Settings(
                    silent=True,
                    console="off",
                    # A remote's address may carry a password; the manifests name the commit.
                    disable_git=True,
                    disable_code=True,
                    x_save_requirements=False,
                ),
            )
        except ImportError as error:
            raise UserError(
                "tracking.wandb_mode", f"wandb is not installed ({error})", "use tracking=none"
            ) from error
        except Exception as error:
            reason = str(error).strip().splitlines()
            raise UserError(
                "tracking.wandb_mode",
                f"W&B did not start ({reason[0] if reason else type(error).__name__})",
                "run `wandb login`, or use tracking=wandb_offline",
            ) from error
        self._broken = False
        self._stages_with_steps: set[str] = set()

    @property
    def id(self) -> str:
        return str(self._run.id)

    def log(self, stage: str, metrics: Mapping[str, float], step: int | None) -> None:
        """Logs ``<stage>/<name>``, over ``<stage>/step`` when there is a step."""
        values = {f"{stage}/{name}": value for name, value in metrics.items()}
        if step is None:
            self._guarded(lambda: self._run.log(values))
            return
        axis = f"{stage}/step"
        if stage not in self._stages_with_steps:
            self._stages_with_steps.add(stage)
            self._guarded(lambda: self._run.define_metric(f"{stage}/*", step_metric=axis))
        self._guarded(lambda: self._run.log({**values, axis: step}))

    def mirror(self, artifact: Artifact) -> None:
        """Mirrors an artifact under its key; ``metadata.inputs`` names those it was made from.

        W&B cannot mark an artifact as *used* while offline, so the lineage travels as
        metadata, and a cached artifact is logged again: the same content is no new version.
        """
        self._guarded(lambda: self._run.log_artifact(self._as_wandb_artifact(artifact)))

    def summary(self, summary: Mapping[str, Any], report: Path) -> None:
        """Puts the keys of ``summary.json`` into the run's summary, and the report beside them."""
        self._guarded(lambda: self._run.summary.update(dict(summary)))
        if report.is_file():
            self._guarded(lambda: self._run.log({"report": self._wandb.Html(str(report))}))

    def finish(self, exit_code: int) -> None:
        """Ends the run; offline it stays in the output folder until ``wandb sync``."""
        self._guarded(lambda: self._run.finish(exit_code=exit_code))
        # Offline, finish() returns before W&B's own process has written everything.
        self._guarded(self._wandb.teardown)
        for variable in self._placed_here:
            os.environ.pop(variable, None)

    def _as_wandb_artifact(self, artifact: Artifact) -> Any:
        manifest = artifact.manifest
        mirrored = self._wandb.Artifact(
            name=wandb_name(artifact.stage, artifact.key),
            type=artifact.stage,
            metadata={
                "key": artifact.key,
                "version": manifest.version,
                "settings": manifest.settings,
                "inputs": {s: wandb_name(s, key) for s, key in manifest.inputs.items()},
                "input_keys": manifest.inputs,
                "metrics": manifest.metrics,
            },
        )
        # Published artifacts never change, so W&B may read them in place instead of copying.
        add_in_place = partial(mirrored.add_file, policy="immutable", skip_cache=True)
        add_in_place(str(artifact.path / MANIFEST), name=MANIFEST)
        for name in manifest.files:
            path = artifact.path / name
            if manifest.bytes <= UPLOAD_UP_TO:
                add_in_place(str(path), name=name)
            else:
                mirrored.add_reference(path.resolve().as_uri(), name=name, checksum=False)
        return mirrored

    def _guarded(self, action: Callable[[], object]) -> None:
        if self._broken:
            return
        try:
            action()
        except Exception as error:
            self._broken = True
            print(
                f"warning: W&B stopped recording ({error}); metrics.jsonl goes on", file=sys.stderr
            )


def wandb_name(stage: str, key: str) -> str:
    """The W&B artifact that mirrors a key."""
    return f"{stage}-{key}"


def _settle_in(folder: Path) -> list[str]:
    """Keeps W&B's caches and staging areas out of the home folder, and its hint at Weave, which
    it prints where ``openai`` is loaded, off the terminal; the user's own variables win.

    Returns the environment variables that were set.
    """
    place = str((folder / "wandb").resolve())
    wanted = {
        "WANDB_DATA_DIR": place,
        "WANDB_CACHE_DIR": place,
        "WANDB_DISABLE_WEAVE": "true",
    }
    ours = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(ours)
    return list(ours)
