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


class State(Enum):
    """What the store holds under a key."""

    CACHED = "cached"
    PARTIAL = "partial"
    DAMAGED = "damaged"
    MISSING = "missing"


@dataclass(frozen=True)
class Artifact:
    """One published artifact: a folder that nobody writes to any more."""

    stage: str
    key: str
    path: Path
    manifest: Manifest


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
