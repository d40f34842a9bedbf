"""Labelled tuples as Parquet: one row each, read and written as streams.

The files of a data set are ``data/<split>-<number>-of-<count>.parquet``, the names that
``datasets.load_dataset`` finds by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from judge_lightning.court.records import SPLITS, LabelledTuple
from judge_lightning.crew import beside
from judge_lightning.errors import UserError

DATA = "data"
ROW_GROUP = 500
"""Rows that are held in memory while reading or writing."""
ROWS_PER_FILE = 20_000

_RANGE = pa.list_(pa.int32(), 2)
_IDS, _LABELS = pa.list_(pa.int32()), pa.list_(pa.int16())
SCHEMA = pa.schema(
    [
        ("prompt_id", pa.string()),
        ("family", pa.string()),
        ("split", pa.string()),
        ("source", pa.string()),
        ("drafter", pa.string()),
        ("prompt", pa.string()),
        ("correct_text", pa.string()),
        ("wrong_text", pa.string()),
        ("mistake_characters", _RANGE),
        ("mistake_tokens", _RANGE),
        ("confidence", pa.float64()),
        ("evidence", pa.string()),
        ("correct_author", pa.string()),
        ("prompt_ids", _IDS),
        ("correct_ids", _IDS),
        ("correct_labels", _LABELS),
        ("wrong_ids", _IDS),
        ("wrong_labels", _LABELS),
    ]
)
_RANGES = ("mistake_characters", "mistake_tokens")


class TableWriter:
    """Writes tuples into one Parquet file, a row group at a time.

    The file has its name when it is whole: until ``close`` it has a hidden one beside it.
    """

    def __init__(self, path: Path) -> None:
        self.rows = 0
        self._path = path
        self._unfinished = beside(path)
        self._writer = pq.ParquetWriter(self._unfinished, SCHEMA, compression="zstd")
        self._waiting: list[dict[str, Any]] = []

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close() if error else self.close()

    def write(self, labelled: LabelledTuple) -> None:
        """Adds one row."""
        self._waiting.append(vars(labelled))
        self.rows += 1
        if len(self._waiting) == ROW_GROUP:
            self._flush()

    def close(self) -> None:
        """Completes the file."""
        self._flush()
        self._writer.close()
        self._unfinished.replace(self._path)

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.Table.from_pylist(self._waiting, SCHEMA))
            self._waiting = []


def write_table(path: Path, tuples: Iterable[LabelledTuple]) -> int:
    """Writes one file, and returns how many tuples it holds."""
    with TableWriter(path) as writer:
        for labelled in tuples:
            writer.write(labelled)
    return writer.rows


def read_table(path: Path) -> Iterator[LabelledTuple]:
    """Reads one file's tuples in order.

    Raises:
        UserError: The file is no Parquet, or lacks a column.
    """
    names = [f.name for f in fields(LabelledTuple)]
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(ROW_GROUP, columns=names):
                for row in batch.to_pylist():
                    for name in _RANGES:
                        row[name] = tuple(row[name])
                    yield LabelledTuple(**row)
    except (pa.ArrowException, OSError, TypeError) as error:
        raise UserError(
            str(path), f"is no table of labelled tuples ({error})", "run the stages again"
        ) from error


class DatasetWriter:
    """Writes tuples into a folder's ``data/``, a series of files for each split.

    Several splits may be written to in turn. Names tell how many files there are, so files get
    theirs in the end.
    """

    def __init__(self, folder: Path, rows_per_file: int = ROWS_PER_FILE) -> None:
        self._data = folder / DATA
        self._data.mkdir(parents=True, exist_ok=True)
        self._rows_per_file = rows_per_file
        self._open: dict[str, TableWriter] = {}
        self._whole: dict[str, list[Path]] = {}

    def write(self, labelled: LabelledTuple) -> None:
        """Adds one row to its split."""
        writer = self._open.get(labelled.split)
        if writer is None:
            numbers = self._whole.setdefault(labelled.split, [])
            numbers.append(self._data / f"{labelled.split}-{len(numbers):05d}.parquet")
            writer = self._open[labelled.split] = TableWriter(numbers[-1])
        writer.write(labelled)
        if writer.rows == self._rows_per_file:
            self._open.pop(labelled.split).close()

    def close(self) -> None:
        """Completes all files."""
        for writer in self._open.values():
            writer.close()
        for split, paths in self._whole.items():
            for number, path in enumerate(paths):
                name = f"{split}-{number:05d}-of-{len(paths):05d}.parquet"
                path.replace(path.with_name(name))


def dataset_files(folder: Path) -> dict[str, list[Path]]:
    """The files of a data set by split, splits in their usual order."""
    found = {split: sorted((folder / DATA).glob(f"{split}-*.parquet")) for split in SPLITS}
    return {split: paths for split, paths in found.items() if paths}


def read_dataset(folder: Path) -> Iterator[LabelledTuple]:
    """Reads a data set's tuples, split by split, one row group in memory at a time."""
    for paths in dataset_files(folder).values():
        for path in paths:
            yield from read_table(path)
