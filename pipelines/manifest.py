"""The manifest: what an artifact is, where it came from, and how to tell that it is whole."""

from __future__ import annotations

import builtins
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipelines.durable import sha256_of_file

MANIFEST = "manifest.json"
SCHEMA = 1


class ManifestError(Exception):
    """A manifest that is missing, torn or not of this schema."""


@dataclass(frozen=True)
class FileEntry:
    """One file of an artifact. ``volatile``: it differs between reruns (timings, hosts)."""

    bytes: int
    sha256: str
    volatile: bool = False


@dataclass(frozen=True)
class Manifest:
    """The record beside an artifact's files.

    ``inputs`` maps each stage that was read to the key of its artifact, ``metrics`` holds
    the last value of everything the stage measured, ``origin`` names the code, the
    packages and the host. ``timings`` has ``started`` (ISO 8601, UTC) and ``seconds``
    (of the attempt that finished).
    """

    stage: str
    key: str
    version: int
    settings: dict[str, Any]
    inputs: dict[str, str]
    files: dict[str, FileEntry]
    metrics: dict[str, float]
    timings: dict[str, Any]
    origin: dict[str, Any]
    wandb: str | None = None
    schema: int = SCHEMA

    @property
    def bytes(self) -> int:
        """Size of all files together, the manifest left out."""
        return sum(entry.bytes for entry in self.files.values())

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, keys in the order of the fields."""
        return asdict(self)

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Reads ``folder/manifest.json``.

        Raises:
            ManifestError: It is missing, no JSON, or lacks a field.
        """
        try:
            return cls.parse((folder / MANIFEST).read_bytes())
        except FileNotFoundError as error:
            raise ManifestError(f"{MANIFEST} is missing") from error
        except OSError as error:
            raise ManifestError(f"{MANIFEST} cannot be read ({error})") from error

    @classmethod
    def parse(cls, content: builtins.bytes) -> Manifest:
        """Reads a manifest from a file's bytes.

        Raises:
            ManifestError: They are no JSON, or lack a field.
        """
        try:
            row = json.loads(content)
            if row["schema"] != SCHEMA:
                raise ManifestError(f"{MANIFEST} has schema {row['schema']}, not {SCHEMA}")
            row["files"] = {name: FileEntry(**entry) for name, entry in row["files"].items()}
            return cls(**row)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ManifestError(f"{MANIFEST} cannot be read ({error})") from error


def read_lineage(
    manifests: Mapping[str, Manifest], folders: Mapping[str, Path]
) -> dict[str, Manifest]:
    """The manifests and those of all that they were made from, as far as the store still has it.

    Args:
        folders: Where the artifacts of ``manifests`` are, each by its key in its stage's folder.
    """
    found = dict(manifests)
    roots = {folder.parent.parent for folder in folders.values()}
    waiting = list(manifests.values())
    while waiting:
        for stage, key in waiting.pop().inputs.items():
            if stage in found:
                continue
            for root in roots:
                try:
                    found[stage] = Manifest.read(root / stage / key)
                except ManifestError:
                    continue
                waiting.append(found[stage])
                break
    return found


@dataclass(frozen=True)
class Provenance:
    """What only the run knows about an artifact that it publishes."""

    version: int
    settings: Mapping[str, Any]
    inputs: Mapping[str, str]
    metrics: Mapping[str, float] = field(default_factory=dict)
    timings: Mapping[str, Any] = field(default_factory=dict)
    origin: Mapping[str, Any] = field(default_factory=dict)
    wandb: str | None = None


def damage(folder: Path, manifest: Manifest, *, hash_up_to: int | None) -> str | None:
    """Says what is wrong with an artifact's files, or None when they are what was published.

    Sizes are always compared; SHA-256 too when the artifact has at most ``hash_up_to``
    bytes (None: always).
    """
    for name, entry in manifest.files.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        size = path.stat().st_size
        if size != entry.bytes:
            return f"{name} has {size} bytes instead of {entry.bytes}"
    if hash_up_to is not None and manifest.bytes > hash_up_to:
        return None
    for name, entry in manifest.files.items():
        if sha256_of_file(folder / name) != entry.sha256:
            return f"{name} has other content than was published (SHA-256)"
    return None
