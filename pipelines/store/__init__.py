"""The artifact store: finished work under the hash of everything that could change it."""

from pipelines.store.artifact import Artifact, State, Summary, artifact_key
from pipelines.store.local import ArtifactStore
from pipelines.store.writer import Writer

__all__ = ["Artifact", "ArtifactStore", "State", "Summary", "Writer", "artifact_key"]
