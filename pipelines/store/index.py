"""The index of a remote store: what is in it, without asking for ten thousand manifests.

``.index/new/<stage>-<key>.json`` is written behind every manifest; now and then they are merged
into ``.index/all-<hash>.json``. Readers take all that they find together, so that merging needs no
lock. The manifests stay the truth: ``gc`` reads their names and writes the index anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from pipelines.store.artifact import Summary
from pipelines.store.objects import delete_many, names_in, read_many, write_whole

_MERGE_FROM = 16
"""Single lines from which on whoever reads them merges them."""
_EVERY = 4
"""One publication of so many, told by the key, looks whether there is something to merge."""

Name = tuple[str, str]
"""Stage and key."""
Rows = dict[Name, Summary]


class Index:
    """The index below ``<root>/.index``."""

    def __init__(self, files: Any, root: str) -> None:
        self._files = files
        self._folder = f"{root}/.index"
        self._new = f"{self._folder}/new"

    def add(self, summary: Summary) -> None:
        """Notes an artifact that has just been published."""
        write_whole(self._files, self._line_of(summary.stage, summary.key), _packed([summary]))
        if int(summary.key[:8], 16) % _EVERY == 0:
            self.read()

    def read(self) -> Rows:
        """All rows, by stage and key. Merges the single lines when there are many."""
        paths = self._paths()
        rows = self._rows(paths)
        if sum(path.startswith(self._new) for path in paths) >= _MERGE_FROM:
            self._replace(paths, rows.values())
        return rows

    def write_anew(self, there: Rows, known: list[str]) -> None:
        """Makes the index say what is there, and forget what ``known`` said (see ``paths``)."""
        self._replace(known, there.values())

    def paths(self) -> list[str]:
        """The files of the index as it is now."""
        return self._paths()

    def remove(self, stage: str, key: str) -> None:
        """Forgets the single line of an artifact; a merged one stays until it is written anew."""
        with suppress(FileNotFoundError):
            self._files.rm_file(self._line_of(stage, key))

    def _line_of(self, stage: str, key: str) -> str:
        return f"{self._new}/{stage}-{key}.json"

    def _paths(self) -> list[str]:
        merged = [name for name in names_in(self._files, self._folder) if name.startswith("all-")]
        single = [name for name in names_in(self._files, self._new) if name.endswith(".json")]
        return [f"{self._folder}/{n}" for n in merged] + [f"{self._new}/{n}" for n in single]

    def _rows(self, paths: list[str]) -> Rows:
        rows: Rows = {}
        for content in read_many(self._files, paths).values():
            with suppress(ValueError, TypeError):
                for row in json.loads(content):
                    summary = Summary(**row)
                    rows[summary.stage, summary.key] = summary
        return rows

    def _replace(self, paths: list[str], rows: Iterable[Summary]) -> None:
        content = _packed(sorted(rows, key=lambda row: (row.stage, row.key)))
        name = f"{self._folder}/all-{hashlib.sha256(content).hexdigest()[:16]}.json"
        write_whole(self._files, name, content)
        delete_many(self._files, [path for path in paths if path != name])


def _packed(rows: list[Summary]) -> bytes:
    return json.dumps([vars(row) for row in rows], separators=(",", ":")).encode()
