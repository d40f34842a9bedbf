"""The remote side of a store: the same layout as a folder, on a file system of fsspec's.

Layout below the URL::

    <stage>/<key>/...           as in a folder; an artifact is there when its manifest.json is
    .index/                     what ``ls`` reads (index.py)
    .leases/<stage>-<key>/      one writer per key, across machines (leases.py)
    .runs/<exp>-<hash>.json     what runs refer to (references.py)
    .quarantine/<stage>/        manifests of artifacts that were found damaged
"""

from __future__ import annotations

import hashlib
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from judge_lightning.errors import UserError
from pipelines.durable import sha256_of_file
from pipelines.manifest import MANIFEST, Manifest, ManifestError
from pipelines.store.address import Address
from pipelines.store.artifact import Artifact, Summary
from pipelines.store.index import Index, Name, Rows
from pipelines.store.leases import Leases, Pace
from pipelines.store.objects import error_code, names_in, reaching, read_whole, write_whole
from pipelines.store.references import References

_BLOCK = 8 * 2**20
_OTHER_CONTENT = "has other content than was published (SHA-256)"


class DamagedRemotelyError(Exception):
    """A remote artifact whose files are not what its manifest says.

    ``manifest``: the bytes of that manifest.
    """

    def __init__(self, problem: str, manifest: bytes) -> None:
        super().__init__(problem)
        self.manifest = manifest


@dataclass(frozen=True)
class Inventory:
    """What is really in a remote store, found by looking at every file.

    Attributes:
        bytes_of: Size of what is there under a key, manifest or not.
        rows: The artifacts, that is, those with a manifest.
        index_files: The files of the index before that.
    """

    bytes_of: dict[Name, int]
    rows: Rows
    index_files: list[str]


class RemoteStore:
    """Artifacts under a URL. Every method raises UserError when the store cannot be reached."""

    def __init__(self, address: Address, pace: Pace | None = None) -> None:
        self.url = address.url
        self._files, self._root = address.open()
        self._index = Index(self._files, self._root)
        self.leases = Leases(self._files, f"{self._root}/.leases", pace)
        self.references = References(self._files, f"{self._root}/.runs", self.url)

    def manifest(self, stage: str, key: str) -> Manifest | None:
        """The manifest of a key if it is there; files unchecked. None too where it is torn."""
        content = self._manifest_bytes(stage, key)
        try:
            return None if content is None else Manifest.parse(content)
        except ManifestError:
            return None

    def place(self, stage: str, key: str) -> str:
        """Where an artifact is, for people."""
        return f"{self.url}/{stage}/{key}"

    def summaries(self) -> list[Summary]:
        """All artifacts, by stage and key, as the index has them."""
        with reaching(self.url):
            rows = self._index.read()
        return [rows[name] for name in sorted(rows)]

    def upload(self, artifact: Artifact) -> None:
        """Puts an artifact there: its files, then its manifest, then its line of the index."""
        kept = f"; the artifact is kept in {artifact.path}"
        folder = self._folder(artifact.stage, artifact.key)
        with reaching(self.url, kept):
            if self._manifest_bytes(artifact.stage, artifact.key) is None:
                names = list(artifact.manifest.files)
                self._files.put(
                    [str(artifact.path / name) for name in names],
                    [f"{folder}/{name}" for name in names],
                )
                content = (artifact.path / MANIFEST).read_bytes()
                write_whole(self._files, f"{folder}/{MANIFEST}", content)
            self._index.add(Summary.of(artifact.manifest))

    def download(self, stage: str, key: str, to: Path) -> bool:
        """Fetches an artifact into a folder: every byte is checked, the manifest comes last.

        Files that are there already and right are not fetched again. False: there is none.

        Raises:
            DamagedRemotelyError: A file is missing, or wrong twice.
            UserError: There is no room for it.
        """
        content = self._manifest_bytes(stage, key)
        if content is None:
            return False
        try:
            manifest = Manifest.parse(content)
        except ManifestError as error:
            raise DamagedRemotelyError(str(error), content) from error
        if (manifest.stage, manifest.key) != (stage, key):
            whose = f"{manifest.stage}/{manifest.key[:8]}"
            raise DamagedRemotelyError(f"{MANIFEST} belongs to {whose}", content)
        to.mkdir(parents=True, exist_ok=True)
        self._check_room(manifest, to)
        folder = self._folder(stage, key)
        for name, entry in manifest.files.items():
            if not (to / name).resolve().is_relative_to(to.resolve()):
                raise DamagedRemotelyError(f"{name} would lie outside the artifact", content)
            path = to / name
            path.parent.mkdir(parents=True, exist_ok=True)
            wrong = _wrong(path, entry.bytes, entry.sha256)
            for _ in range(2):
                if wrong is None:
                    break
                self._fetch(f"{folder}/{name}", path)
                wrong = _wrong(path, entry.bytes, entry.sha256)
            if wrong is not None:
                raise DamagedRemotelyError(f"{name} {wrong}", content)
        (to / MANIFEST).write_bytes(content)
        return True

    def check(self, stage: str, key: str) -> str | None:
        """Reads every byte of an artifact. What is damaged is named and moved aside."""
        content = self._manifest_bytes(stage, key)
        if content is None:
            return f"{MANIFEST} is missing"
        try:
            for name, entry in Manifest.parse(content).files.items():
                if (digest := self._digest(f"{self._folder(stage, key)}/{name}")) != entry.sha256:
                    problem = "is missing" if digest is None else _OTHER_CONTENT
                    raise DamagedRemotelyError(f"{name} {problem}", content)
        except (DamagedRemotelyError, ManifestError) as error:
            self.set_aside(stage, key, content)
            return str(error)
        return None

    def set_aside(self, stage: str, key: str, content: bytes | None = None) -> None:
        """Moves a damaged artifact's manifest to ``.quarantine``: from then on there is none.

        Args:
            content: The manifest that was found to lie; another one stays.
        """
        with reaching(self.url):
            now = self._manifest_bytes(stage, key)
            if now is None or (content is not None and now != content):
                return
            number = len(names_in(self._files, f"{self._root}/.quarantine/{stage}"))
            aside = f"{self._root}/.quarantine/{stage}/{key}-{number}.json"
            write_whole(self._files, aside, now)
            self._files.rm_file(f"{self._folder(stage, key)}/{MANIFEST}")
            self._index.remove(stage, key)

    def remove(self, stage: str, key: str) -> bool:
        """Deletes an artifact, its manifest first; False when a process holds its lease.

        A lease is watched until it is known whether its holder still lives.
        """
        with reaching(self.url), self.leases.attempt(stage, key, patient=True) as held:
            if not held:
                return False
            folder = self._folder(stage, key)
            self._index.remove(stage, key)
            with suppress(FileNotFoundError):
                self._files.rm_file(f"{folder}/{MANIFEST}")
            with suppress(FileNotFoundError):
                self._files.rm(folder, recursive=True)
            return True

    def inventory(self) -> Inventory:
        """What is really there. Asks for the name of every file: for ``gc``, not for ``ls``."""
        with reaching(self.url):
            index_files, rows = self._index.paths(), self._index.read()
            listed = self._all_files()
        bytes_of: dict[Name, int] = {}
        whole: set[Name] = set()
        for path, size in listed.items():
            stage, key, name = path[len(self._root) :].lstrip("/").split("/", 2)
            bytes_of.setdefault((stage, key), 0)
            if name == MANIFEST:
                whole.add((stage, key))
            else:
                bytes_of[stage, key] += size
        known = {name: row for name, row in rows.items() if name in whole}
        for stage, key in whole - known.keys():
            if (manifest := self.manifest(stage, key)) is not None:
                known[stage, key] = Summary.of(manifest)
        return Inventory(bytes_of, known, index_files)

    def write_index(self, inventory: Inventory, without: set[Name]) -> None:
        """Makes the index say what was found there, less what was removed since."""
        rows = {name: row for name, row in inventory.rows.items() if name not in without}
        with reaching(self.url):
            self._index.write_anew(rows, inventory.index_files)

    def quarantined(self) -> list[str]:
        """The manifests that were moved aside."""
        folder = f"{self._root}/.quarantine"
        with reaching(self.url):
            return [
                f"{folder}/{stage}/{name}"
                for stage in names_in(self._files, folder)
                for name in names_in(self._files, f"{folder}/{stage}")
            ]

    def empty_quarantine(self) -> None:
        """Deletes the manifests that were moved aside."""
        with reaching(self.url):
            for path in self.quarantined():
                self._files.rm_file(path)

    def _all_files(self) -> dict[str, int]:
        """Sizes of all files of artifacts, whole or not, by path."""
        try:
            found = self._files.find(self._root, detail=True)
        except FileNotFoundError as error:
            if error_code(error) == "NoSuchBucket":
                raise
            return {}
        start = len(self._root) + 1
        return {
            path: int(facts["size"] or 0)
            for path, facts in found.items()
            if path[start] != "." and path[start:].count("/") >= 2
        }

    def _folder(self, stage: str, key: str) -> str:
        return f"{self._root}/{stage}/{key}"

    def _manifest_bytes(self, stage: str, key: str) -> bytes | None:
        with reaching(self.url):
            try:
                return read_whole(self._files, f"{self._folder(stage, key)}/{MANIFEST}")
            except FileNotFoundError as error:
                if error_code(error) == "NoSuchBucket":
                    raise
                return None

    def _fetch(self, path: str, to: Path) -> None:
        to.unlink(missing_ok=True)
        with reaching(self.url), suppress(FileNotFoundError):
            self._files.get_file(path, str(to))

    def _digest(self, path: str) -> str | None:
        digest = hashlib.sha256()
        with reaching(self.url):
            try:
                with self._files.open(
                    path, "rb", block_size=_BLOCK, cache_type="readahead"
                ) as file:
                    while block := file.read(_BLOCK):
                        digest.update(block)
            except FileNotFoundError:
                return None
        return digest.hexdigest()

    def _check_room(self, manifest: Manifest, to: Path) -> None:
        free = shutil.disk_usage(to).free
        if manifest.bytes > free:
            raise UserError(
                "artifacts_cache",
                f"{manifest.stage}/{manifest.key[:8]} has {manifest.bytes / 1e9:.3g} GB, "
                f"{free / 1e9:.3g} GB are free in {to.parents[2]}",
                "free some space (`python -m pipelines.artifacts gc`) or give another disk",
            )


def _wrong(path: Path, size: int, sha256: str) -> str | None:
    if not path.is_file():
        return "is missing"
    if (found := path.stat().st_size) != size:
        return f"has {found} bytes instead of {size}"
    return None if sha256_of_file(path) == sha256 else _OTHER_CONTENT
