"""A stage's work folder: what of it is finished, what is scratch, what is left to drop."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pipelines.durable import is_unfinished, sync_folder
from pipelines.manifest import MANIFEST

SCRATCH = "scratch"
"""The folder below a work folder that survives a kill but is not published."""


def prepare_work(work: Path) -> None:
    """Keeps what a killed attempt finished and drops what it left half-written."""
    work.mkdir(parents=True, exist_ok=True)
    (work / MANIFEST).unlink(missing_ok=True)
    drop_unfinished(work)
    (work / SCRATCH).mkdir(exist_ok=True)


def drop_unfinished(work: Path) -> None:
    """Deletes the writes that a kill cut short."""
    for name, path in files_below(work):
        if is_unfinished(name):
            path.unlink()


def files_below(work: Path) -> Iterator[tuple[str, Path]]:
    """Name and path of every file that belongs to the artifact, in a fixed order."""
    for path in sorted(work.rglob("*")):
        name = path.relative_to(work)
        if path.is_file() and name.parts[0] != SCRATCH and str(name) != MANIFEST:
            yield name.as_posix(), path


def sync_folders_below(work: Path) -> None:
    """Makes all names below ``work`` survive a power loss."""
    for folder, _, _ in os.walk(work, topdown=False):
        sync_folder(Path(folder))
