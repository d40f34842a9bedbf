"""What runs refer to, written into the remote store so that nobody's ``gc`` deletes it."""

from __future__ import annotations

import getpass
import hashlib
import json
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from judge_lightning.errors import UserError
from pipelines.store.objects import names_in, reaching, read_many, write_whole


@dataclass(frozen=True)
class Reference:
    """What a run, or a ``push``, refers to: stages and keys.

    ``by``: user and host; ``last``: ISO 8601, UTC.
    """

    exp: str
    by: str
    last: str
    artifacts: list[tuple[str, str]]


class References:
    """The references below one folder of a remote store."""

    def __init__(self, files: Any, folder: str, url: str) -> None:
        self._files = files
        self._folder = folder
        self._url = url

    def add(self, exp: str, artifacts: Iterable[tuple[str, str]]) -> None:
        """Notes that this user needs these artifacts; the same run again takes the same name."""
        by = f"{_user()}@{socket.gethostname()}"
        named = sorted(artifacts)
        content = json.dumps([exp, by, named]).encode()
        name = f"{exp}-{hashlib.sha256(content).hexdigest()[:8]}.json"
        now = datetime.now(UTC).isoformat(timespec="seconds")
        row = json.dumps(asdict(Reference(exp, by, now, named)), indent=2)
        with reaching(self._url):
            write_whole(self._files, f"{self._folder}/{name}", row.encode())

    def read(self) -> dict[str, Reference]:
        """All references by name.

        Raises:
            UserError: One cannot be read: nothing may be deleted then.
        """
        with reaching(self._url):
            names = [n for n in names_in(self._files, self._folder) if n.endswith(".json")]
            found = read_many(self._files, [f"{self._folder}/{name}" for name in names])
        references = {}
        for path, content in found.items():
            name = path.rpartition("/")[2].removesuffix(".json")
            try:
                reference = Reference(**json.loads(content))
                named = [(str(stage), str(key)) for stage, key in reference.artifacts]
                references[name] = replace(reference, artifacts=named)
            except (ValueError, TypeError) as error:
                raise UserError(
                    f"{self._url}/.runs/{name}.json", "it cannot be read", "mend or delete it"
                ) from error
        return references

    def remove(self, name: str) -> bool:
        """Forgets one; False where there is none of that name."""
        with reaching(self._url):
            if f"{name}.json" not in names_in(self._files, self._folder):
                return False
            with suppress(FileNotFoundError):
                self._files.rm_file(f"{self._folder}/{name}.json")
            return True


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
