"""Reads the ``.wandb`` file of an offline run, for which wandb itself ships no reader in Python.

The file is LevelDB's log format (https://github.com/google/leveldb, ``doc/log_format.md``) behind a
header of seven bytes: blocks of 32 KiB, in each of them chunks of a header of seven bytes (a
checksum, which here is the plain CRC-32, a length, a type) and data. A record is one chunk, or a
first, middle and last ones; its bytes are a message of wandb's own ``wandb.proto``.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import ArtifactRecord, MetricRecord, Record

_FILE_HEADER = struct.Struct("<4sHB")
_CHUNK_HEADER = struct.Struct("<IHB")
_BLOCK = 32 * 1024
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


@dataclass
class WandbRecords:
    """What one offline run has put down.

    Attributes:
        run: The run's own record: id, name, group, job type, tags, notes.
        config: Flat names as W&B has them to plain values.
        history: The rows that were logged.
        summary: The last value of every key; nested keys are joined by dots.
        metrics: What ``define_metric`` said, by the metric's name or glob.
        artifacts: Those that the run has logged or used, wandb's own for tables included.
    """

    run: Any = None
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, MetricRecord] = field(default_factory=dict)
    artifacts: list[ArtifactRecord] = field(default_factory=list)
    exit_code: int | None = None

    def logged(self, key: str) -> list[Any]:
        """The values of a key in the history, in order."""
        return [row[key] for row in self.history if key in row]

    def artifact(self, name: str) -> ArtifactRecord:
        """The one artifact of that name."""
        (found,) = (one for one in self.artifacts if one.name == name)
        return found


def read_run(folder: Path) -> WandbRecords:
    """The records of the one run below ``folder`` (a run's output folder)."""
    (path,) = (folder / "wandb").glob("*run-*/*.wandb")
    found = WandbRecords()
    for record in read_records(path):
        _take(found, record)
    return found


def read_records(path: Path) -> Iterator[Record]:
    """Every record of a ``.wandb`` file, with its checksums checked."""
    content = path.read_bytes()
    identity, magic, _ = _FILE_HEADER.unpack_from(content)
    assert (identity, magic) == (b":W&B", 0xBEE1), "is no file of wandb's"
    message = b""
    at = _FILE_HEADER.size
    while at < len(content):
        if _BLOCK - at % _BLOCK < _CHUNK_HEADER.size:
            at += _BLOCK - at % _BLOCK
            continue
        checksum, length, kind = _CHUNK_HEADER.unpack_from(content, at)
        data = content[at + _CHUNK_HEADER.size :][:length]
        assert checksum == zlib.crc32(data, zlib.crc32(bytes([kind]))), f"torn at {at}"
        message = data if kind in (_FULL, _FIRST) else message + data
        if kind in (_FULL, _LAST):
            yield Record.FromString(message)
        at += _CHUNK_HEADER.size + length


def _take(found: WandbRecords, record: Record) -> None:
    kind = record.WhichOneof("record_type")
    if kind == "run":
        found.run = record.run
        found.config |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
    elif kind == "config":
        found.config |= {_key(item): json.loads(item.value_json) for item in record.config.update}
    elif kind == "history":
        found.history.append(
            {_key(item): json.loads(item.value_json) for item in record.history.item}
        )
    elif kind == "summary":
        found.summary |= {_key(item): json.loads(item.value_json) for item in record.summary.update}
    elif kind == "metric":
        found.metrics[record.metric.name or record.metric.glob_name] = record.metric
    elif kind == "artifact":
        found.artifacts.append(record.artifact)
    elif kind == "exit":
        found.exit_code = record.exit.exit_code


def _key(item: Any) -> str:
    return item.key or ".".join(item.nested_key)
