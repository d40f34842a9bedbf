"""What the store keeps: artifacts, their keys, and the states that a key can be in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from pipelines.manifest import Manifest

SHORT_KEY = 8
"""Digits of a key that people get to see; every command accepts a prefix."""


class State(Enum):
    """What the store holds under a key."""

    CACHED = "cached"
    REMOTE = "cached (remote)"
    PARTIAL = "partial"
    DAMAGED = "damaged"
    MISSING = "missing"

    @property
    def finished(self) -> bool:
        """Whether nothing has to be computed."""
        return self in (State.CACHED, State.REMOTE)


@dataclass(frozen=True)
class Artifact:
    """One published artifact: a folder that nobody writes to any more."""

    stage: str
    key: str
    path: Path
    manifest: Manifest


@dataclass(frozen=True)
class Summary:
    """What lists and garbage collection need of an artifact: a line of an index.

    ``made``: ISO 8601, UTC. ``bytes``: of all files, the manifest left out.
    """

    stage: str
    key: str
    bytes: int
    files: int
    seconds: float
    made: str
    commit: str
    inputs: dict[str, str]

    @classmethod
    def of(cls, manifest: Manifest) -> Summary:
        """The summary of a manifest."""
        return cls.of_json(manifest.to_json())

    @classmethod
    def of_json(cls, manifest: Mapping[str, Any]) -> Summary:
        """The summary of a manifest as it is in its file, of which the rest is not checked.

        Raises:
            KeyError, TypeError, AttributeError, ValueError: It is no manifest.
        """
        timings, files = manifest["timings"], manifest["files"]
        return cls(
            stage=str(manifest["stage"]),
            key=str(manifest["key"]),
            bytes=sum(entry["bytes"] for entry in files.values()),
            files=len(files),
            seconds=float(timings.get("seconds", 0.0)),
            made=str(timings.get("started", ""))[:19],
            commit=str(manifest["origin"].get("git_commit") or ""),
            inputs=dict(manifest["inputs"]),
        )


def artifact_key(
    stage: str, version: int, settings: Mapping[str, Any], inputs: Mapping[str, str]
) -> str:
    """SHA-256 (64 hex digits) over canonical JSON of all that can change the artifact.

    Raises:
        TypeError: ``settings`` holds something that is no plain JSON value.
        ValueError: ``settings`` holds NaN or an infinity.
    """
    content = {"stage": stage, "version": version, "settings": settings, "inputs": inputs}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
