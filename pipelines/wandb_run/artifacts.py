"""The store's artifacts as W&B's: one collection per stage, one version per key."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from pipelines.durable import read_json
from pipelines.manifest import MANIFEST
from pipelines.plan import SHORT_KEY
from pipelines.store import Artifact

UPLOAD_UP_TO = 64 * 2**20
"""Larger artifacts (bytes) are mirrored by reference: their manifest travels, not their data."""

CHOSEN = "chosen"
"""The alias of the judge that the newest run has decoded with."""

CERTIFIED = "certified"
"""The alias of the newest judge whose threshold carries a certificate."""


def artifact_name(stage: str, key: str) -> str:
    """A collection and the alias by which it knows the key."""
    return f"{stage}:{key[:SHORT_KEY]}"


def mirrored(wandb: Any, artifact: Artifact) -> Any:
    """An artifact of the store as W&B's own; ``metadata.inputs`` names those it was made from."""
    manifest = artifact.manifest
    mirror = wandb.Artifact(
        name=artifact.stage,
        type=artifact.stage,
        metadata={
            "key": artifact.key,
            "version": manifest.version,
            "settings": manifest.settings,
            "inputs": {s: artifact_name(s, key) for s, key in manifest.inputs.items()},
            "input_keys": manifest.inputs,
            "metrics": manifest.metrics,
        },
    )
    _add(mirror, artifact.path / MANIFEST, MANIFEST)
    for name in manifest.files:
        path = artifact.path / name
        if manifest.bytes <= UPLOAD_UP_TO:
            _add(mirror, path, name)
        else:
            mirror.add_reference(path.resolve().as_uri(), name=name, checksum=False)
    return mirror


def mirrored_judge(wandb: Any, pair: str, artifact: Artifact) -> tuple[Any, list[str]]:
    """The judge of a calibrated artifact as a model of its own, and its aliases.

    The collection is the pair's: a judge reads one target's embeddings and no other's.
    """
    manifest = artifact.manifest
    model = wandb.Artifact(
        name=f"judge-{pair}",
        type="model",
        metadata={
            "key": artifact.key,
            "from": artifact_name(artifact.stage, artifact.key),
            "metrics": manifest.metrics,
        },
    )
    for name in manifest.files:
        folder, _, file = name.partition("/")
        if folder == "judge":
            _add(model, artifact.path / name, file)
    head = read_json(artifact.path / "judge" / "judge_config.json")
    certified = [CERTIFIED] if head.get("certificate") else []
    return model, [CHOSEN, artifact.key[:SHORT_KEY], *certified]


def put(run: Any, mirror: Any, aliases: list[str], *, used: bool) -> None:
    """Logs it as an output of the run, or as an input that the run has ``used``.

    ``run.use_artifact`` refuses to work offline, and online it waits for the upload. What it calls
    for an artifact that W&B may not have yet does neither: the use is a mark on the record, which
    is set when the artifact is committed, now or by ``wandb sync``.
    """
    log_used = getattr(run, "_log_artifact", None)
    if used and log_used is not None:
        log_used(mirror, aliases=aliases, is_user_created=True, use_after_commit=True)
    else:
        run.log_artifact(mirror, aliases=aliases)


def _add(mirror: Any, path: Path, name: str) -> None:
    # Published artifacts never change, so W&B may read them in place instead of copying.
    add_in_place = partial(mirror.add_file, policy="immutable", skip_cache=True)
    # In full, for `wandb sync` may be typed in another folder.
    add_in_place(str(path.resolve()), name=name)
