"""The artifact store: finished work under the hash of everything that could change it.

Layout below ``root``::

    <stage>/<key>/              published: the files and manifest.json
    .work/<stage>/<key>/        unfinished: survives a kill, reused by the same key only
    .locks/<stage>-<key>.lock   one writer per key, across processes
    .quarantine/<stage>/...     damaged artifacts, moved aside

A folder below ``<stage>/`` is complete by construction: it is written, hashed and flushed
as ``.work`` first, and renamed last.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pipelines.durable import sync_folder
from pipelines.manifest import MANIFEST, Manifest, ManifestError, damage
from pipelines.store.artifact import Artifact, State, Summary
from pipelines.store.listing import summaries_of
from pipelines.store.locks import KeyLocks, key_locks
from pipelines.store.writer import Writer
from pipelines.work_folder import files_below

HASH_UP_TO = 512 * 2**20
"""Artifacts up to this size (bytes) are re-hashed before every reuse: about a second."""


class ArtifactStore:
    """Artifacts in one folder, shared by any number of processes.

    Args:
        locks: One writer per key; None takes what suits the folder's file system.
    """

    def __init__(self, root: Path, locks: KeyLocks | None = None) -> None:
        self.root = root
        self._locks = key_locks(root) if locks is None else locks

    def place(self, stage: str, key: str) -> str:
        """Where an artifact is, for people."""
        return str(self.path(stage, key))

    def path(self, stage: str, key: str) -> Path:
        """Where the published artifact is, or would be."""
        return self.root / stage / key

    def work_path(self, stage: str, key: str) -> Path:
        """Where the unfinished artifact is, or would be."""
        return self.root / ".work" / stage / key

    def state(self, stage: str, key: str) -> tuple[State, str]:
        """What is under a key, and what is wrong with it when damaged. Changes nothing."""
        return self._state_here(stage, key)

    def find(self, stage: str, key: str) -> Artifact | None:
        """The complete and valid artifact of a key in the folder, or None. Changes nothing."""
        if self._state_here(stage, key)[0] is not State.CACHED:
            return None
        folder = self.path(stage, key)
        return Artifact(stage, key, folder, Manifest.read(folder))

    def fetched(self, stage: str, key: str) -> Path:
        """The folder of an artifact that a stage is about to read."""
        return self.path(stage, key)

    def left_there(self, stage: str, key: str) -> Artifact | None:
        """An artifact that need not be in the folder since no stage is going to read it."""
        return None

    def begin(self, exp: str, stages: Mapping[str, str]) -> None:
        """Told before a run's first stage, with the key of each."""

    def settle(self, stages: Mapping[str, str]) -> None:
        """Told after a run's last stage, with the key of each."""

    @contextmanager
    def writer(
        self, stage: str, key: str, on_wait: Callable[[], None] = lambda: None
    ) -> Iterator[Writer]:
        """Holds the key's lock. ``on_wait`` is called once when another process has it."""
        with self._locks.held(stage, key, on_wait):
            yield Writer(self, stage, key)

    def manifest(self, stage: str, key: str) -> Manifest | None:
        """The published manifest of a key if there is a readable one; files unchecked."""
        try:
            return Manifest.read(self.path(stage, key))
        except ManifestError:
            return None

    def artifacts(self) -> Iterator[Artifact]:
        """All published artifacts with a readable manifest, by stage and key; files unchecked."""
        for stage, key in self.published():
            if (manifest := self.manifest(stage, key)) is not None:
                yield Artifact(stage, key, self.path(stage, key), manifest)

    def summaries(self) -> list[Summary]:
        """What ``artifacts`` would say of each in short, at once for ten thousand."""
        return summaries_of(self.root)

    def published(self) -> list[tuple[str, str]]:
        """(stage, key) of every published folder, readable or not."""
        return _pairs_below(self.root)

    def incoming(self) -> list[tuple[str, str]]:
        """(stage, key) of everything that was half fetched from a remote store."""
        return _pairs_below(self.root / ".incoming")

    def unfinished(self) -> list[tuple[str, str]]:
        """(stage, key) of every work folder."""
        return _pairs_below(self.root / ".work")

    def quarantine_if_damaged(self, stage: str, key: str, *, thorough: bool = False) -> str | None:
        """Moves a damaged artifact aside, says so on stderr, and returns what is wrong with it.

        The caller holds the key's lock. ``thorough`` re-hashes artifacts of any size.
        """
        folder = self.path(stage, key)
        if not folder.exists():
            return None
        problem = self._damage(stage, key, hash_up_to=None if thorough else HASH_UP_TO)
        if problem is None:
            return None
        aside = self._free_quarantine_path(stage, key)
        aside.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(aside)
        sync_folder(folder.parent)
        print(
            f"warning: artifact {stage}/{key[:8]} is damaged: {problem}; moved to {aside}",
            file=sys.stderr,
        )
        return problem

    def check(self, stage: str, key: str) -> str | None:
        """``quarantine_if_damaged`` on every byte, under the key's lock."""
        with self._locks.held(stage, key, lambda: None):
            return self.quarantine_if_damaged(stage, key, thorough=True)

    def remove(self, stage: str, key: str) -> bool:
        """Deletes a key's artifact and its unfinished work; False when a process holds its lock."""
        with self._locks.attempt(stage, key, patient=True) as held:
            if not held:
                return False
            # Renamed first: a kill in the middle of the deletion leaves no half artifact behind.
            for folder in (self.path(stage, key), self.work_path(stage, key)):
                if folder.exists():
                    doomed = self._free_quarantine_path(stage, key)
                    doomed.parent.mkdir(parents=True, exist_ok=True)
                    folder.rename(doomed)
                    shutil.rmtree(doomed)
        return True

    def quarantined(self) -> list[Path]:
        """Folders that were moved aside."""
        return sorted(p for p in (self.root / ".quarantine").glob("*/*") if p.is_dir())

    def empty_quarantine(self, *, pretend: bool) -> int:
        """Deletes what was moved aside or half fetched; returns its bytes.

        ``pretend`` only counts them.
        """
        count = 0
        incoming = [self.root / ".incoming" / stage / key for stage, key in self.incoming()]
        for folder in [*self.quarantined(), *incoming]:
            count += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            if not pretend:
                shutil.rmtree(folder)
        return count

    def _state_here(self, stage: str, key: str) -> tuple[State, str]:
        folder = self.path(stage, key)
        if not folder.exists():
            partial = any(files_below(self.work_path(stage, key)))
            return (State.PARTIAL if partial else State.MISSING), ""
        problem = self._damage(stage, key, hash_up_to=HASH_UP_TO)
        return (State.CACHED, "") if problem is None else (State.DAMAGED, problem)

    def _damage(self, stage: str, key: str, *, hash_up_to: int | None) -> str | None:
        folder = self.path(stage, key)
        try:
            manifest = Manifest.read(folder)
        except ManifestError as error:
            return str(error)
        if (manifest.stage, manifest.key) != (stage, key):
            return f"{MANIFEST} belongs to {manifest.stage}/{manifest.key[:8]}"
        return damage(folder, manifest, hash_up_to=hash_up_to)

    def _free_quarantine_path(self, stage: str, key: str) -> Path:
        folder = self.root / ".quarantine" / stage
        number = 0
        while (path := folder / f"{key}-{number}").exists():
            number += 1
        return path


def _pairs_below(folder: Path) -> list[tuple[str, str]]:
    return sorted(
        (path.parent.name, path.name)
        for path in folder.glob("*/*")
        if path.is_dir() and not path.parent.name.startswith(".")
    )
