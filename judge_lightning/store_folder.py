"""Where a run's artifacts lie on this machine, from its configuration. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def is_url(place: str) -> bool:
    """Whether a store's place is a remote one (``s3://bucket/prefix``) and no folder."""
    return "://" in place


def folder_of_store(config: Mapping[str, Any]) -> str:
    """The folder that a run read and wrote: of a remote store, the one in front of it."""
    named = str(config.get("artifacts_dir") or "artifacts")
    return str(config.get("artifacts_cache") or "artifacts") if is_url(named) else named
