"""The rows of a place: local files of the usual kinds, or a data set of the Hub.

Rows come one at a time, so that a file may be larger than memory (only a ``.json`` file, one
single array, is read at once). A row that cannot be read is ``Rejected``, not an error: what is
wrong with one line costs that line.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from judge_lightning.court.rejects import Rejected
from judge_lightning.errors import UserError

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".txt", ".parquet")
"""What a file's name may end in; all but ``.parquet`` may have ``.gz`` behind it."""

_LONGEST_LINE = 16 * 2**20
_MAGIC = re.compile(r"[*?\[]")
_BOM = b"\xef\xbb\xbf"
_BROKEN_FILE = (OSError, EOFError, zlib.error)


@dataclass(frozen=True)
class Row:
    """One row's fields, and where it stands (file and line, or data set and number)."""

    place: str
    values: Mapping[str, Any]


def local_files(path: str) -> list[Path]:
    """The files that a path or a pattern (``data/*.csv``) names, in the order of their names."""
    pattern = Path(path).expanduser()
    if pattern.exists() or not _MAGIC.search(path):
        return [pattern]
    return sorted(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))


def check_files(path: str, field: str) -> None:
    """Raises UserError for files that are missing, unreadable, empty or of an unknown kind."""
    files = local_files(path)
    if not files:
        raise UserError(field, f"no file is called {path}", "mend the pattern")
    for file in files:
        _check_file(file, field)


def read_files(
    path: str, field: str, columns: Sequence[str] | None = None
) -> Iterator[Row | Rejected]:
    """Yields the rows of all files that ``path`` names.

    Args:
        field: The configuration field that names them, for messages.
        columns: The columns of a CSV file whose first line does not name them.

    Raises:
        UserError: A file cannot be read to its end, or is no file of its kind at all.
    """
    for file in local_files(path):
        kind = _kind(file)
        if kind == ".parquet":
            yield from _read_parquet(file)
            continue
        try:
            with _open(file) as stream:
                if kind in (".jsonl", ".ndjson"):
                    yield from _read_jsonl(file, stream)
                elif kind == ".json":
                    yield from _read_json(file, stream)
                elif kind == ".txt":
                    yield from _read_paragraphs(file, stream)
                else:
                    delimiter = "\t" if kind == ".tsv" else ","
                    yield from _read_csv(file, stream, delimiter, columns)
        except _BROKEN_FILE as error:
            raise _unreadable(file, field, error) from error


def read_hub(
    name: str, field: str, *, subset: str | None, split: str, revision: str | None, streaming: bool
) -> Iterator[Row]:
    """Yields the rows of a data set of the Hub, or of a folder that is laid out like one.

    Args:
        streaming: Fetch rows as they are asked for; else the whole split is fetched first and
            kept in the cache of ``datasets``.

    Raises:
        UserError: It does not exist, cannot be reached, or breaks off.
    """
    from datasets import load_dataset

    place = "/".join(part for part in (name, subset) if part)
    try:
        rows = load_dataset(name, subset, split=split, revision=revision, streaming=streaming)
        for number, values in enumerate(rows):
            yield Row(f"{place}[{split}][{number}]", values)
    # The libraries below raise errors of a dozen unrelated families.
    except Exception as error:
        raise UserError(
            field,
            f"{place} [{split}] cannot be loaded ({_first_line(error)})",
            "check the name, its subset and split, and the network, or download it and name its "
            "files in path",
        ) from error


def _check_file(file: Path, field: str) -> None:
    if file.is_dir():
        raise UserError(field, f"{file} is a folder", f"name its files: {file}/*.jsonl")
    if _kind(file) not in SUFFIXES:
        raise UserError(
            field, f"{file.name} is no kind of file that is known", f"use one of {list(SUFFIXES)}"
        )
    try:
        with _open(file) as stream:
            empty = not stream.read(1)
    except _BROKEN_FILE as error:
        raise _unreadable(file, field, error) from error
    if empty:
        raise UserError(field, f"{file} is empty", "one prompt at least is needed")


def _kind(file: Path) -> str:
    return Path(file.stem).suffix.lower() if file.suffix.lower() == ".gz" else file.suffix.lower()


def _open(file: Path) -> BinaryIO:
    if file.suffix.lower() == ".gz":
        return cast(BinaryIO, gzip.open(file))
    return file.open("rb")


def _unreadable(file: Path, field: str, error: Exception) -> UserError:
    problem = getattr(error, "strerror", None) or _first_line(error)
    return UserError(str(file), f"cannot be read ({problem})", f"point {field} at a whole file")


def _lines(file: Path, stream: BinaryIO) -> Iterator[tuple[str, bytes] | Rejected]:
    """Numbered lines without their ends; one longer than memory may hold is skipped."""
    number = 0
    while line := stream.readline(_LONGEST_LINE):
        number += 1
        place = f"{file}:{number}"
        if number == 1:
            line = line.removeprefix(_BOM)
        if len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
            start = line[:200].decode(errors="replace")
            while line and not line.endswith(b"\n"):
                line = stream.readline(_LONGEST_LINE)
            yield Rejected(place, "line too long", f"more than {_LONGEST_LINE} bytes", start)
            continue
        yield place, line.rstrip(b"\r\n")


def _read_jsonl(file: Path, stream: BinaryIO) -> Iterator[Row | Rejected]:
    for line in _lines(file, stream):
        if isinstance(line, Rejected):
            yield line
        elif line[1].strip():
            yield _json_row(*line)


def _json_row(place: str, line: bytes) -> Row | Rejected:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        return Rejected(place, "not UTF-8", str(error), line.decode("latin-1"))
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Rejected(place, "not JSON", str(error), text)
    return _object_row(place, values)


def _object_row(place: str, values: Any) -> Row | Rejected:
    if not isinstance(values, dict):
        return Rejected(place, "no JSON object", f"a {type(values).__name__}", json.dumps(values))
    return Row(place, values)


def _read_json(file: Path, stream: BinaryIO) -> Iterator[Row | Rejected]:
    try:
        values = json.loads(stream.read().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UserError(
            str(file), f"is no JSON ({error})", "mend it; one object a line is a .jsonl file"
        ) from error
    if not isinstance(values, list):
        raise UserError(
            str(file), "is no JSON array", "write [{...}, ...], or one object a line as .jsonl"
        )
    for number, value in enumerate(values):
        yield _object_row(f"{file}[{number}]", value)


def _read_csv(
    file: Path, stream: BinaryIO, delimiter: str, columns: Sequence[str] | None
) -> Iterator[Row | Rejected]:
    # Bytes that are no UTF-8 survive as surrogates, so that one bad row is one row.
    text = io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="")
    records = csv.reader(text, delimiter=delimiter)
    names = list(columns) if columns else None
    while True:
        place = f"{file}:{records.line_num + 1}"
        try:
            record = next(records)
        except StopIteration:
            return
        except csv.Error as error:
            yield Rejected(place, "not CSV", str(error))
            continue
        if names is None or record == names:
            names = record
        elif record:
            yield _csv_row(place, names, record)


def _csv_row(place: str, names: Sequence[str], record: Sequence[str]) -> Row | Rejected:
    line = json.dumps(record)
    if any("\udc80" <= character <= "\udcff" for value in record for character in value):
        return Rejected(place, "not UTF-8", "", line)
    if len(record) != len(names):
        return Rejected(place, "not CSV", f"{len(record)} fields for {len(names)} columns", line)
    return Row(place, dict(zip(names, record, strict=True)))


def _read_paragraphs(file: Path, stream: BinaryIO) -> Iterator[Row | Rejected]:
    """Paragraphs have blank lines between them; each is a row with the field ``text``."""
    paragraph: list[bytes] = []
    start = ""
    for line in _lines(file, stream):
        if isinstance(line, Rejected):
            yield line
        elif line[1].strip():
            start = start if paragraph else line[0]
            paragraph.append(line[1])
        elif paragraph:
            yield _paragraph_row(start, paragraph)
            paragraph = []
    if paragraph:
        yield _paragraph_row(start, paragraph)


def _paragraph_row(place: str, lines: list[bytes]) -> Row | Rejected:
    joined = b"\n".join(lines)
    try:
        return Row(place, {"text": joined.decode("utf-8")})
    except UnicodeDecodeError as error:
        return Rejected(place, "not UTF-8", str(error), joined.decode("latin-1"))


def _read_parquet(file: Path) -> Iterator[Row]:
    from datasets import load_dataset

    try:
        rows = load_dataset("parquet", data_files=str(file), split="train", streaming=True)
        for number, values in enumerate(rows):
            yield Row(f"{file}[{number}]", values)
    except Exception as error:  # pyarrow's errors come through datasets under several names
        raise UserError(
            str(file), f"is no Parquet file ({_first_line(error)})", "write it again"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
