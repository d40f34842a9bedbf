"""A remote store with a folder in front of it: stages read and write the folder as ever."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from judge_lightning.errors import UserError
from pipelines.durable import sync_folder
from pipelines.manifest import Provenance
from pipelines.store.artifact import Artifact, State
from pipelines.store.local import ArtifactStore
from pipelines.store.locks import KeyLocks
from pipelines.store.objects import problem_with
from pipelines.store.remote import DamagedRemotelyError, RemoteStore
from pipelines.store.writer import Writer
from pipelines.work_folder import sync_folders_below

FETCH_BELOW = 64 * 2**20
"""Smaller artifacts (bytes) are fetched though no stage reads them: W&B gets a copy."""


class CachedStore(ArtifactStore):
    """What is not in the folder is fetched from the remote store, what is made is put there.

    The first question that the remote store cannot answer is an error: nothing has been done then.
    Once a run has begun, it goes on without a store that falls silent, keeps what it makes in
    the folder, and puts it there in the end (``settle``) or in the next run.
    """

    def __init__(self, root: Path, remote: RemoteStore, locks: KeyLocks | None = None) -> None:
        super().__init__(root, locks)
        self.remote = remote
        self._there: set[tuple[str, str]] = set()
        self._complained = False

    def state(self, stage: str, key: str) -> tuple[State, str]:
        """What is under a key here or there. Fetches a manifest at most."""
        state, problem = super().state(stage, key)
        if state is not State.CACHED and self._is_there(stage, key):
            return State.REMOTE, problem
        return state, problem

    @contextmanager
    def writer(
        self, stage: str, key: str, on_wait: Callable[[], None] = lambda: None
    ) -> Iterator[Writer]:
        """Holds the key here and then there. ``finished`` may just have been fetched."""
        on_first_wait = once(on_wait)
        with self._locks.held(stage, key, on_first_wait), ExitStack() as lease:
            if not self._bring(stage, key):
                try:
                    lease.enter_context(self.remote.leases.held(stage, key, on_first_wait))
                    self._bring(stage, key)
                except Exception as error:
                    self._go_on_without(error)
            yield _UploadingWriter(self, stage, key)

    def fetched(self, stage: str, key: str) -> Path:
        """The folder of an artifact, after it was fetched if it was only remote."""
        if self.find(stage, key) is None and self._is_there(stage, key):
            with self._locks.held(stage, key, lambda: None):
                self._bring(stage, key)
        return self.path(stage, key)

    def left_there(self, stage: str, key: str) -> Artifact | None:
        """A large artifact that is only remote: not fetched for a run that does not read it."""
        if (stage, key) not in self._there or self.path(stage, key).exists():
            return None
        manifest = self.remote.manifest(stage, key)
        if manifest is None or manifest.bytes < FETCH_BELOW:
            return None
        return Artifact(stage, key, self.path(stage, key), manifest)

    def begin(self, exp: str, stages: Mapping[str, str]) -> None:
        """Notes in the remote store that this run needs these artifacts."""
        self.remote.references.add(exp, stages.items())

    def settle(self, stages: Mapping[str, str]) -> None:
        """Puts what is still only here into the remote store.

        Raises:
            UserError: It cannot be done, with how many artifacts wait.
        """
        waiting: list[UserError] = []
        for stage, key in stages.items():
            if (stage, key) in self._there or not self.path(stage, key).exists():
                continue
            try:
                if not self._is_there(stage, key) and (artifact := self.find(stage, key)):
                    self.upload(artifact)
            except UserError as error:
                waiting.append(error)
        if waiting:
            first = waiting[0]
            raise UserError(
                first.field,
                f"{first.problem}; {len(waiting)} finished artifacts are only in {self.root}",
                f"{first.remedy.partition(';')[0]}, then give the same command again, or "
                f"`python -m pipelines.artifacts push --artifacts-dir {self.remote.url}`",
            ) from first

    def upload(self, artifact: Artifact) -> None:
        """Puts one artifact there."""
        self.remote.upload(artifact)
        self._there.add((artifact.stage, artifact.key))

    def _is_there(self, stage: str, key: str) -> bool:
        if self.remote.manifest(stage, key) is None:
            return False
        self._there.add((stage, key))
        return True

    def _bring(self, stage: str, key: str) -> bool:
        """Whether the artifact is here, after it was fetched if need be. The caller has the key."""
        if self.find(stage, key) is not None:
            return True
        incoming = self.root / ".incoming" / stage / key
        try:
            if not self.remote.download(stage, key, incoming):
                return False
        except DamagedRemotelyError as error:
            self.remote.set_aside(stage, key, error.manifest)
            self._there.discard((stage, key))
            shutil.rmtree(incoming, ignore_errors=True)
            print(
                f"warning: artifact {stage}/{key[:8]} in {self.remote.url} is damaged: {error}; "
                "moved to .quarantine there and made again",
                file=sys.stderr,
            )
            return False
        except UserError as error:
            if (stage, key) in self._there or error.field == "artifacts_cache":
                raise
            self._go_on_without(error)
            return False
        self.quarantine_if_damaged(stage, key)
        sync_folders_below(incoming)
        target = self.path(stage, key)
        target.parent.mkdir(parents=True, exist_ok=True)
        incoming.rename(target)
        sync_folder(target.parent)
        self._there.add((stage, key))
        return True

    def _go_on_without(self, error: Exception) -> None:
        if not self._complained:
            self._complained = True
            reason = problem_with(self.remote.url, error)
            print(
                f"warning: {reason}; going on without it, what is made is kept in {self.root}",
                file=sys.stderr,
                flush=True,
            )


def once(action: Callable[[], None]) -> Callable[[], None]:
    """``action`` the first time, nothing after that."""
    waiting = [action]
    return lambda: waiting.pop()() if waiting else None


class _UploadingWriter(Writer):
    """Publishes here, then there."""

    _store: CachedStore

    def publish(self, provenance: Provenance, volatile: frozenset[str] = frozenset()) -> Artifact:
        artifact = super().publish(provenance, volatile)
        try:
            self._store.upload(artifact)
        except UserError as error:
            self._store._go_on_without(error)
        return artifact
