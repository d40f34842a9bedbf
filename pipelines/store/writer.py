"""The exclusive right to make one artifact, and how it is published."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from pipelines.durable import sha256_of_file, sync_folder, write_json
from pipelines.manifest import MANIFEST, FileEntry, Manifest, Provenance
from pipelines.store.artifact import Artifact
from pipelines.work_folder import (
    SCRATCH,
    drop_unfinished,
    files_below,
    prepare_work,
    sync_folders_below,
)

if TYPE_CHECKING:
    from pipelines.store.local import ArtifactStore


class Writer:
    """The exclusive right to produce one artifact, held inside ``ArtifactStore.writer``.

    ``finished`` is the artifact when another process published it while this one waited;
    ``work`` is the folder to fill otherwise, with whatever an earlier attempt left there.
    """

    def __init__(self, store: ArtifactStore, stage: str, key: str) -> None:
        self._store = store
        self.stage = stage
        self.key = key
        self.finished = store.find(stage, key)
        self.work = store.work_path(stage, key)
        if self.finished is None:
            store.quarantine_if_damaged(stage, key)
            prepare_work(self.work)

    def publish(self, provenance: Provenance, volatile: frozenset[str] = frozenset()) -> Artifact:
        """Turns ``work`` into the artifact: hash, write the manifest, flush, rename.

        Raises:
            RuntimeError: The stage wrote nothing, or named a volatile file that it did not write.
        """
        drop_unfinished(self.work)
        files = {
            name: FileEntry(path.stat().st_size, sha256_of_file(path, sync=True), name in volatile)
            for name, path in files_below(self.work)
        }
        if not files:
            raise RuntimeError(f"stage {self.stage} wrote no file into its work folder")
        if unknown := sorted(volatile - files.keys()):
            raise RuntimeError(
                f"stage {self.stage} marked {unknown} volatile but wrote no such file"
            )
        manifest = Manifest(
            stage=self.stage,
            key=self.key,
            version=provenance.version,
            settings=dict(provenance.settings),
            inputs=dict(provenance.inputs),
            files=files,
            metrics=dict(provenance.metrics),
            timings=dict(provenance.timings),
            origin=dict(provenance.origin),
            wandb=provenance.wandb,
        )
        write_json(self.work / MANIFEST, manifest.to_json())
        shutil.rmtree(self.work / SCRATCH, ignore_errors=True)
        sync_folders_below(self.work)
        target = self._store.path(self.stage, self.key)
        target.parent.mkdir(parents=True, exist_ok=True)
        self.work.rename(target)
        sync_folder(target.parent)
        sync_folder(self.work.parent)
        return Artifact(self.stage, self.key, target, manifest)
