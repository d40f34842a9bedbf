"""What differs between runs before any number does: configuration, artifacts, machine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judge_lightning.runs.artifacts import find_store
from judge_lightning.store_folder import folder_of_store
from pipelines.compare.runs import ComparedRun
from pipelines.manifest import Manifest, ManifestError
from pipelines.sweep.jobs import differing_fields, flatten, told_by_name

Found = Mapping[str, Manifest]
"""By stage, the manifests of one run's artifacts that are stored."""

_MOST_FIELDS = 4
"""As many differing settings of a stage are named; of more, their number."""


@dataclass(frozen=True)
class Setting:
    """One field of the configuration, run by run; ``inside`` a group that is told by its name."""

    field: str
    values: list[Any]
    inside: bool


@dataclass(frozen=True)
class StageDifference:
    """One stage's artifacts.

    Attributes:
        keys: Run by run; None where a run has no such stage.
        shared: Whether all runs used the same artifact.
        reason: What of the stage's own made the keys differ, in words; empty where they are the
            same, where an input alone differs, or where an artifact is no longer stored.
    """

    stage: str
    keys: list[str | None]
    shared: bool
    reason: str


@dataclass(frozen=True)
class Origin:
    """One thing about where the answers were decoded, run by run."""

    name: str
    values: list[str]


def differing_settings(runs: Sequence[ComparedRun]) -> list[Setting]:
    """The fields that differ, of a group that differs in its name that name before what is in it.

    Runs whose configuration is missing have no say.
    """
    known = [run.settings for run in runs if run.settings]
    fields = differing_fields(known)
    named = list(told_by_name(known).values())
    return [
        Setting(field, [run.settings.get(field) for run in runs], field not in named)
        for field in [*named, *(field for field in fields if field not in named)]
    ]


def read_manifests(run: ComparedRun, store: Path | None) -> dict[str, Manifest]:
    """The manifests of a run's artifacts; what is not stored, or damaged, is left out.

    Args:
        store: The artifacts' folder; None takes the one that the run names.
    """
    found = {}
    root = store or artifacts_of(run)
    for stage, key in run.keys.items():
        try:
            found[stage] = Manifest.read(root / stage / key)
        except ManifestError:
            continue
    return found


def artifacts_of(run: ComparedRun) -> Path:
    """The store that a run used; the configured path where none is found."""
    named = folder_of_store(run.settings)
    return find_store(named, run.folder.resolve(), run.keys.items()) or Path(named)


def compare_stages(
    runs: Sequence[ComparedRun], manifests: Sequence[Found]
) -> list[StageDifference]:
    """Every stage that one of the runs has, in the order in which they run."""
    rows = []
    for stage in _in_order(runs):
        keys = [run.keys.get(stage) for run in runs]
        shared = len(set(keys)) == 1
        reason = "" if shared else _reason([found.get(stage) for found in manifests])
        if None in keys:
            reason = "not in every run"
        rows.append(StageDifference(stage, keys, shared, reason))
    return rows


def differing_origins(manifests: Sequence[Found]) -> list[Origin]:
    """What differs in code, packages and machine where the answers were decoded."""
    origins = [_origin(found.get("decode")) for found in manifests]
    if not all(origins):
        return []
    names = dict.fromkeys(name for origin in origins for name in origin)
    rows = [Origin(name, [origin.get(name, "-") for origin in origins]) for name in names]
    return [row for row in rows if len(set(row.values)) > 1]


def _in_order(runs: Sequence[ComparedRun]) -> list[str]:
    """The stages of all runs, each behind the one that it follows in its own run."""
    order: list[str] = []
    for run in runs:
        place = 0
        for stage in run.keys:
            if stage not in order:
                order.insert(place, stage)
            place = order.index(stage) + 1
    return order


def _reason(manifests: Sequence[Manifest | None]) -> str:
    present = [manifest for manifest in manifests if manifest is not None]
    if len(present) < 2:
        return ""
    parts = []
    versions = dict.fromkeys(manifest.version for manifest in present)
    if len(versions) > 1:
        parts.append("version " + ", ".join(map(str, versions)))
    settings = [flatten(manifest.settings) for manifest in present]
    fields = [
        field
        for field in dict.fromkeys(field for one in settings for field in one)
        if len({json.dumps(one.get(field), sort_keys=True) for one in settings}) > 1
    ]
    parts += fields if len(fields) <= _MOST_FIELDS else [f"{len(fields)} settings"]
    return ", ".join(parts)


def _origin(manifest: Manifest | None) -> dict[str, str]:
    if manifest is None:
        return {}
    origin = manifest.origin
    changed = ", changed" if origin.get("git_changed") else ""
    commit = {"commit": f"{origin['git_commit'][:8]}{changed}"} if origin.get("git_commit") else {}
    machine = {name: str(origin[name]) for name in ("cpus", "platform", "python") if name in origin}
    return commit | machine | {k: str(v) for k, v in (origin.get("packages") or {}).items()}
