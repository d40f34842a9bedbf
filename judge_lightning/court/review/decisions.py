"""What people decided about labelled tuples, in files that only grow.

One JSON object a line, flushed to disk before a decision counts as made. A reviewer who
changes their mind adds a line: the last decision about a tuple is theirs. A process that is
killed while it writes leaves at most one torn last line, which never was a decision.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from judge_lightning.court.records import LabelledTuple
from judge_lightning.errors import UserError

FORMAT = 1
KEPT = ("accept", "move")
"""Verdicts that name a mistake: where it was proposed, or elsewhere."""
VERDICTS = (*KEPT, "reject", "skip", "undo")
"""``reject``: not fit for training. ``skip``: cannot tell. ``undo``: takes the last one back."""

_LONGEST_REVIEWER = 40
_REVIEWER = re.compile(r"[\w@+-][\w.@+ -]*")
_FIRST_FIELD = b'{"format":'

Span = tuple[int, int]


@dataclass(frozen=True)
class Decision:
    """One person's verdict about one tuple.

    ``span`` and ``proposed`` are half-open character ranges (code points) of the wrong answer;
    an empty one at its end says that the answer stops too early. ``span`` is None unless the
    verdict is one of ``KEPT``. ``time`` is ISO 8601 with its offset from UTC.

    Raises:
        ValueError: The fields do not fit together.
    """

    tuple_id: str
    reviewer: str
    verdict: str
    span: Span | None
    proposed: Span
    time: str
    note: str = ""
    format: int = FORMAT

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise ValueError(f"format {self.format} is unknown, this version reads {FORMAT}")
        if self.verdict not in VERDICTS:
            raise ValueError(f"verdict {self.verdict!r} is none of {', '.join(VERDICTS)}")
        if problem := reviewer_problem(self.reviewer):
            raise ValueError(f"reviewer {self.reviewer!r} {problem}")
        if (self.span is None) == (self.verdict in KEPT):
            raise ValueError(f"verdict {self.verdict} and span {self.span} do not go together")
        if self.verdict in KEPT and (self.span == self.proposed) != (self.verdict == "accept"):
            raise ValueError(f"verdict {self.verdict}, but the span and the proposed one say other")
        if _moment(self.time).tzinfo is None:
            raise ValueError(f"time {self.time!r} lacks its offset from UTC")

    def line(self) -> str:
        """The decision as one line. ASCII, because a note may hold any character."""
        row = asdict(self)
        return json.dumps({"format": row.pop("format"), **row}, separators=(",", ":")) + "\n"

    @classmethod
    def from_json(cls, row: Any) -> Decision:
        """Reads what ``line`` wrote.

        Raises:
            ValueError: It is no decision; the message says why.
        """
        if not isinstance(row, dict):
            raise ValueError("not a JSON object")
        names = ("tuple_id", "reviewer", "verdict", "note", "time")
        texts = {name: row.get(name, "") for name in names}
        for name, value in texts.items():
            if not isinstance(value, str) or (not value and name != "note"):
                raise ValueError(f"{name} is missing or no text")
        span = None if row.get("span") is None else span_of(row["span"], "span")
        proposed = span_of(row.get("proposed"), "proposed")
        return cls(span=span, proposed=proposed, format=row.get("format", 0), **texts)


@dataclass(frozen=True)
class DecisionLog:
    """All decisions of one file in order. ``torn``: the file ends in a line cut short."""

    decisions: list[Decision]
    torn: bool = False


def tuple_id(labelled: LabelledTuple) -> str:
    """Names a tuple by what does not change when it is annotated anew (20 hex digits)."""
    return identify(labelled.prompt_id, labelled.wrong_text, labelled.drafter)


def identify(prompt_id: str, wrong_text: str, drafter: str) -> str:
    """``tuple_id`` from the three fields."""
    name = json.dumps([prompt_id, wrong_text, drafter])
    return hashlib.sha256(name.encode()).hexdigest()[:20]


def now() -> str:
    """The time to put into a decision."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def reviewer_problem(name: str) -> str | None:
    """What is wrong with a reviewer's name, which is also a file's name; None when nothing is."""
    if not name or len(name) > _LONGEST_REVIEWER:
        return f"must have 1 to {_LONGEST_REVIEWER} characters"
    if not _REVIEWER.fullmatch(name):
        return "must be letters, digits, spaces and . _ @ + - and not start with a dot or space"
    return None


def read_decisions(path: Path) -> DecisionLog:
    """Reads one file; an absent one is empty.

    Raises:
        UserError: A line other than a torn last one is no decision, by its number.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return DecisionLog([])
    except OSError as error:
        raise UserError(str(path), f"cannot be read ({error.strerror})", "name a file") from error
    decisions = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            decisions.append(Decision.from_json(json.loads(line.decode())))
        except ValueError as error:
            if number == len(lines) and _is_torn(line):
                return DecisionLog(decisions, torn=True)
            raise UserError(
                f"{path}:{number}", f"not a decision ({error})", "mend or remove that line"
            ) from error
    return DecisionLog(decisions)


def read_reviews(paths: Iterable[Path]) -> list[Decision]:
    """The decisions that hold, of several reviewers' files (``latest``).

    Raises:
        UserError: A file is missing or malformed.
    """
    logs = []
    for path in paths:
        if not path.is_file():
            raise UserError(str(path), "no such decisions file", "name one that a review wrote")
        logs.append(read_decisions(path).decisions)
    return latest(*logs)


def latest(*logs: Sequence[Decision]) -> list[Decision]:
    """The last decision of every reviewer about every tuple, without those taken back.

    Within one log the last line wins whatever its time; between logs (a reviewer who worked
    on two machines, a copy of an older file) the later time does.
    """
    held: dict[tuple[str, str], Decision] = {}
    for log in logs:
        for key, decision in {(d.tuple_id, d.reviewer): d for d in log}.items():
            if key not in held or _moment(held[key].time) <= _moment(decision.time):
                held[key] = decision
    return [decision for decision in held.values() if decision.verdict != "undo"]


class DecisionsFile:
    """One reviewer's file, open for adding.

    Raises:
        UserError: It holds something else than decisions, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        log = read_decisions(path)
        self.decisions = log.decisions
        self.was_torn = log.torn
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            self._end_last_line()
        except OSError as error:
            raise UserError(
                str(path), f"cannot be written ({error.strerror})", "give another: --decisions FILE"
            ) from error

    def append(self, decision: Decision) -> None:
        """Adds a decision; it is on disk when this returns.

        Raises:
            OSError: It could not be written (a full disk). The file is as it was before.
        """
        end = os.fstat(self._file).st_size
        line = decision.line().encode()
        try:
            if os.write(self._file, line) != len(line):
                raise OSError("the disk is full")
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, end)
            raise
        self.decisions.append(decision)

    def close(self) -> None:
        """Closes the file; nothing is pending."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _end_last_line(self) -> None:
        content = self.path.read_bytes()
        if not content or content.endswith(b"\n"):
            return
        if self.was_torn:
            os.ftruncate(self._file, content.rfind(b"\n") + 1)
        else:
            os.write(self._file, b"\n")


def _is_torn(line: bytes) -> bool:
    """Whether this is the beginning of a decision's line, and so may be cut off safely."""
    return line.startswith(_FIRST_FIELD) or _FIRST_FIELD.startswith(line)


def span_of(value: Any, name: str) -> Span:
    """A half-open range of characters out of JSON's ``[start, end]``, or ValueError."""
    if (
        not isinstance(value, (list, tuple))
        or len(value) != 2
        or any(isinstance(end, bool) or not isinstance(end, int) for end in value)
        or not 0 <= value[0] <= value[1]
    ):
        raise ValueError(f"{name} is no range of characters [start, end]")
    return (value[0], value[1])


def _moment(time: str) -> datetime:
    return datetime.fromisoformat(time)
