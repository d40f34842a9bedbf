"""From the configuration to the store."""

from __future__ import annotations

from pathlib import Path

from judge_lightning.store_folder import is_url
from pipelines.config import RunConfig
from pipelines.store.address import Address
from pipelines.store.local import ArtifactStore
from pipelines.store.locks import key_locks


def open_store(config: RunConfig) -> ArtifactStore:
    """The store that a run's configuration names.

    Raises:
        UserError: The address is none, holds credentials, or its package is not installed.
    """
    root = local_folder(config)
    locks = key_locks(root, config.artifacts_locks)
    if not is_url(config.artifacts_dir):
        return ArtifactStore(root, locks)
    from pipelines.store.cached import CachedStore
    from pipelines.store.remote import RemoteStore

    return CachedStore(root, RemoteStore(Address.parse(config.artifacts_dir)), locks)


def local_folder(config: RunConfig) -> Path:
    """Where stages read and write: the store itself, or the folder in front of a remote one."""
    remote = is_url(config.artifacts_dir)
    return Path(config.artifacts_cache if remote else config.artifacts_dir).expanduser()


def field_of_folder(config: RunConfig) -> str:
    """The field that names ``local_folder``."""
    return "artifacts_cache" if is_url(config.artifacts_dir) else "artifacts_dir"
