"""What is in a store's folder, told in a moment also of ten thousand artifacts.

A published artifact never changes, so that a summary holds as long as its manifest is the same
file. The summaries are kept in ``.index.json``, which only saves time and may be deleted.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from pipelines.durable import write_bytes
from pipelines.manifest import MANIFEST
from pipelines.store.artifact import Summary

INDEX = ".index.json"
_WRITE_FROM = 20
"""Manifests that had to be read, from which on the index is written again."""

Known = dict[str, tuple[list[int], Summary]]


def summaries_of(root: Path) -> list[Summary]:
    """All published artifacts with a readable manifest, by stage and key; files unchecked."""
    known = _read(root / INDEX)
    found: Known = {}
    read = 0
    for stage in sorted(_folders(root)):
        for key in sorted(_folders(root / stage)):
            folder = f"{root}/{stage}/{key}"
            with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
                facts = os.stat(f"{folder}/{MANIFEST}")  # noqa: PTH116 (a Path costs as much again)
                stamp = [facts.st_mtime_ns, facts.st_size]
                name = f"{stage}/{key}"
                if name in known and known[name][0] == stamp:
                    found[name] = known[name]
                else:
                    found[name] = stamp, _summary(folder)
                    read += 1
    if read >= _WRITE_FROM:
        # A store that this user may only read is listed all the same.
        with suppress(OSError):
            _write(root / INDEX, found)
    return [summary for _, summary in found.values()]


def _summary(folder: str) -> Summary:
    with open(f"{folder}/{MANIFEST}", "rb") as file:  # noqa: PTH123 (the same)
        return Summary.of_json(json.loads(file.read()))


def _folders(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [e.name for e in entries if not e.name.startswith(".") and e.is_dir()]
    except FileNotFoundError:
        return []


def _read(path: Path) -> Known:
    try:
        rows = json.loads(path.read_bytes())
        return {name: (stamp, Summary(**row)) for name, (stamp, row) in rows.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write(path: Path, found: Known) -> None:
    rows = {name: [stamp, vars(summary)] for name, (stamp, summary) in found.items()}
    write_bytes(path, json.dumps(rows, separators=(",", ":")).encode())
