"""What identifies a model, without loading it: part of artifact keys and of judge files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from judge_lightning.models.location import locate

_DESCRIPTIONS = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
)
_READ_WHOLE = 512 << 20
_STRIDE = 1 << 20
_SAMPLE = 4 << 10


def fingerprint(path: str, revision: str | None = None) -> str:
    """Identifies a model's configuration, tokenizer and weights.

    A local folder gives the SHA-256 (hex) of its files. Of a weight file above 512 MiB,
    4 KiB of every MiB are read instead of all: every matrix is still touched, so another
    checkpoint of the same shape is told apart, and 800 GB take seconds instead of minutes.
    A Hub name gives ``hub:<name>@<revision>`` without a request.
    """
    located = locate(path)
    if isinstance(located, str):
        return f"hub:{located}@{revision or 'main'}"
    files = tuple(_identifying_files(located))
    return _digest(tuple((str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in files))


def _identifying_files(folder: Path) -> Iterator[Path]:
    for name in _DESCRIPTIONS:
        if (folder / name).is_file():
            yield folder / name
    yield from sorted(folder.glob("*.safetensors"))


@lru_cache(maxsize=64)
def _digest(files: tuple[tuple[str, int, int], ...]) -> str:
    """SHA-256 over names, sizes and contents; sizes and times only tell the cache of changes."""
    total = hashlib.sha256()
    for name, size, _ in files:
        total.update(f"{Path(name).name}:{size}\n".encode())
        with Path(name).open("rb") as file:
            for block in _blocks(file, size):
                total.update(block)
    return total.hexdigest()


def _blocks(file: BinaryIO, size: int) -> Iterator[bytes]:
    if size <= _READ_WHOLE:
        while block := file.read(_STRIDE):
            yield block
        return
    for start in range(0, size, _STRIDE):
        file.seek(start)
        yield file.read(_SAMPLE)
