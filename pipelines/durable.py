"""Files that are either whole and on disk, or not there: what the store and the outputs rest on."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

UNFINISHED_SUFFIX = ".unfinished"


def is_unfinished(name: str) -> bool:
    """Whether a file is a write that was cut short: dropped on resume, never published.

    Writers give such a file a hidden name or ``UNFINISHED_SUFFIX`` and rename it when whole.
    """
    return Path(name).name.startswith(".") or name.endswith(UNFINISHED_SUFFIX)


def sync_folder(folder: Path) -> None:
    """Makes the names in ``folder`` survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """``write_bytes`` of UTF-8."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Replaces ``path`` so that a reader sees the old or the new file, never a part."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}{UNFINISHED_SUFFIX}")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def write_json(path: Path, value: Any) -> None:
    """``write_text`` of indented JSON; NaN and infinities are refused (ValueError)."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def point_to(link: Path, target: Path) -> None:
    """Makes ``link`` a relative symbolic link to ``target``, at once for every reader."""
    temporary = link.with_name(f"{link.name}.{os.getpid()}{UNFINISHED_SUFFIX}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(os.path.relpath(target, link.parent))
    temporary.replace(link)


def read_json(path: Path) -> Any:
    """The value that a JSON file holds."""
    return json.loads(path.read_text(encoding="utf-8"))


def sha256_of_file(path: Path, *, sync: bool = False) -> str:
    """SHA-256 of the file's bytes in hex; ``sync`` also flushes it to disk."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        if sync:
            os.fsync(file.fileno())
    return digest
