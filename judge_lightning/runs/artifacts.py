"""A run's artifacts: where they lie, and what their manifests say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from judge_lightning.errors import UserError
from judge_lightning.runs.files import read_json_object, reading

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class RunArtifact:
    """What one stage left: a folder that nobody writes to any more.

    Attributes:
        stage: The stage's name.
        key: SHA-256 over all that could change the artifact.
        folder: Its files.
        settings: What of the configuration is in the key.
        inputs: The stages that were read, each with its artifact's key.
        metrics: The last value of everything that the stage measured.
        seconds: Of the attempt that finished; None where nobody noted it.
    """

    stage: str
    key: str
    folder: Path
    settings: Mapping[str, Any]
    inputs: Mapping[str, str]
    metrics: Mapping[str, float]
    seconds: float | None

    @classmethod
    def read(cls, folder: Path) -> RunArtifact:
        """Reads the folder's ``manifest.json``.

        Raises:
            UserError: It is missing or damaged.
        """
        path = folder / MANIFEST
        row = read_json_object(path)
        with reading(path):
            seconds = row.get("timings", {}).get("seconds")
            return cls(
                stage=str(row["stage"]),
                key=str(row["key"]),
                folder=folder,
                settings=dict(row["settings"]),
                inputs=dict(row["inputs"]),
                metrics=dict(row["metrics"]),
                seconds=None if seconds is None else float(seconds),
            )

    def file(self, name: str) -> Path:
        """One of its files.

        Raises:
            UserError: It is not there.
        """
        path = self.folder / name
        if not path.exists():
            raise UserError(
                str(path), "is missing", f"the run's stage {self.stage} writes it: run it again"
            )
        return path


class RunArtifacts:
    """The artifacts of one run by stage, read when they are asked for.

    Args:
        root: The store's folder; None where it was not found.
        keys: The key of every stage of the run.
    """

    def __init__(self, root: Path | None, keys: Mapping[str, str]) -> None:
        self.root = root
        self._keys = dict(keys)
        self._known: dict[str, RunArtifact] = {}

    def stages(self) -> list[str]:
        """The stages whose artifact is there, and those that they were made from."""
        return [stage for stage, key in self._all_keys.items() if self._is_there(stage, key)]

    def get(self, stage: str) -> RunArtifact:
        """The artifact of a stage.

        Raises:
            UserError: The run has no such stage, has not finished it, or its manifest is damaged.
        """
        if stage not in self._known:
            self._known[stage] = self._read(stage)
        return self._known[stage]

    def _read(self, stage: str) -> RunArtifact:
        keys = self._all_keys
        if stage not in keys:
            known = ", ".join(keys) or "none"
            raise UserError(f"stage {stage}", "is no part of this run", f"it has {known}")
        folder = self._folder(stage, keys[stage])
        if folder is None or not folder.is_dir():
            raise UserError(
                f"stage {stage}",
                f"has left no artifact {keys[stage][:8]}{self._where()}",
                "finish the run: the same command goes on where it stopped",
            )
        return RunArtifact.read(folder)

    @cached_property
    def _all_keys(self) -> dict[str, str]:
        """The run's own stages behind those that their artifacts were made from.

        A run of a part of the graph names only that part.
        """
        sources: dict[str, str] = {}
        waiting = list(self._keys.items())
        while waiting:
            stage, key = waiting.pop()
            known = {**sources, **self._keys}
            new = {name: k for name, k in self._inputs(stage, key).items() if name not in known}
            sources = {**new, **sources}
            waiting += new.items()
        return {**sources, **self._keys}

    def _inputs(self, stage: str, key: str) -> Mapping[str, str]:
        folder = self._folder(stage, key)
        if folder is None or not self._is_there(stage, key):
            return {}
        try:
            return RunArtifact.read(folder).inputs
        except UserError:
            return {}  # Said when that artifact itself is asked for.

    def _is_there(self, stage: str, key: str) -> bool:
        folder = self._folder(stage, key)
        return folder is not None and (folder / MANIFEST).is_file()

    def _folder(self, stage: str, key: str) -> Path | None:
        return None if self.root is None else self.root / stage / key

    def _where(self) -> str:
        return " (the artifacts' folder was not found)" if self.root is None else f" in {self.root}"


def find_store(named: str, run: Path, keys: Iterable[tuple[str, str]]) -> Path | None:
    """The store that a run wrote to.

    ``artifacts_dir`` is relative to where the run was started, which nobody noted: the working
    directory and then the folders above the run are tried, the first that holds one of its
    artifacts is taken, or else the first that is there.
    """
    path = Path(named).expanduser()
    places = [Path.cwd(), *run.parents]
    roots = [path] if path.is_absolute() else [place / path for place in places]
    there = [root for root in roots if root.is_dir()]
    pairs = list(keys)
    for root in there:
        if any((root / stage / key).is_dir() for stage, key in pairs):
            return root
    return there[0] if there else None
