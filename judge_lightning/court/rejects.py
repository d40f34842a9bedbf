"""What could not be used: kept aside with its reason, counted, and refused when it is too much.

Real data has malformed lines, and real endpoints return error pages. One of them costs itself,
not the run: it lands in ``rejected.jsonl`` beside what was made, and a share above
``max_rejected`` ends the run, because then something is wrong with all of it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from judge_lightning.errors import UserError

REJECTED_FILE = "rejected.jsonl"
_LONGEST_RECORD = 2000
"""Characters of a rejected record that are kept: enough to recognise it by."""


@dataclass(frozen=True)
class Rejected:
    """One record that was left out.

    ``place`` says where it came from (a file and line, or a prompt's id and an author),
    ``reason`` is one of few short phrases, so that reasons can be counted, ``detail`` the
    particulars, ``record`` the beginning of the record itself.
    """

    place: str
    reason: str
    detail: str = ""
    record: str = ""


class RejectedFile:
    """A file of rejected records that is written one by one; it exists even when empty.

    A context manager. ``count`` is how many were written.
    """

    def __init__(self, path: Path) -> None:
        self.count = 0
        self._file = path.open("w", encoding="utf-8")

    def __enter__(self) -> RejectedFile:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def write(self, one: Rejected) -> None:
        """Adds one JSON object on a line."""
        row = asdict(one)
        row["record"] = one.record[:_LONGEST_RECORD]
        # ASCII, because what is wrong with a record may be its characters.
        self._file.write(json.dumps(row, sort_keys=True) + "\n")
        self.count += 1


def write_rejected(path: Path, rejected: Iterable[Rejected]) -> int:
    """Writes one JSON object a line, always a file, and returns how many there were."""
    with RejectedFile(path) as file:
        for one in rejected:
            file.write(one)
    return file.count


def read_rejected(path: Path) -> Iterator[Rejected]:
    """Reads what ``write_rejected`` wrote; nothing where there is no file."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield Rejected(**json.loads(line))


def count_reasons(rejected: Iterable[Rejected]) -> dict[str, int]:
    """How many records were left out for each reason, the most frequent first."""
    return dict(Counter(one.reason for one in rejected).most_common())


def refuse_too_many(field: str, reasons: dict[str, int], total: int, max_rejected: float) -> None:
    """Raises UserError when more than ``max_rejected`` of ``total`` records were left out.

    Args:
        field: Where the records came from, for the message.
        total: How many were looked at, the rejected ones included.
        max_rejected: A share, 0 to 1.
    """
    rejected = sum(reasons.values())
    if rejected and rejected > max_rejected * total:
        worst = ", ".join(f"{count} x {reason}" for reason, count in list(reasons.items())[:3])
        raise UserError(
            field,
            f"{rejected} of {total} records cannot be used ({worst})",
            f"mend them ({REJECTED_FILE} beside the others names each) or raise data.max_rejected",
        )
