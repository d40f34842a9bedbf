"""How often the number checker judges real solutions as their authors did.

``python -m benchmarks.number_checker FILE`` reads solutions with known verdicts in the format of
OpenAI's grade-school-math (``question``, ``ground_truth``, and for each model a ``solution`` with
``is_correct``) and prints the share of agreement and every disagreement.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from judge_lightning.court.checkers import check
from judge_lightning.court.records import Prompt


@dataclass(frozen=True)
class Judged:
    """One solution, and the two verdicts about it."""

    line: int
    author: str
    solution: str
    known: bool
    found: bool


def judged_solutions(path: Path) -> Iterator[Judged]:
    """Checks every solution of every line."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            row = json.loads(line)
            prompt = Prompt(
                str(number),
                row["question"],
                row["ground_truth"],
                "gsm8k",
                "eval",
                {"checker": "final_number"},
            )
            for author, answer in row.items():
                if isinstance(answer, dict):
                    found = check(prompt, answer["solution"])
                    yield Judged(number, author, answer["solution"], answer["is_correct"], found)


def main(arguments: list[str] | None = None) -> int:
    """Prints a line per author, then the disagreements; 1 where they are over 0.5 %."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("file", type=Path)
    judged = list(judged_solutions(parser.parse_args(arguments).file))
    authors = Counter(one.author for one in judged)
    disagreements = [one for one in judged if one.known != one.found]
    missed = Counter(one.author for one in disagreements)
    for author, count in authors.items():
        print(f"{author}: {count - missed[author]} of {count}")
    share = 1 - len(disagreements) / max(1, len(judged))
    right = sum(one.known for one in judged)
    print(f"agreement {share:.2%} on {len(judged)} solutions, {right} of them right")
    for one in disagreements:
        print(f"line {one.line}, {one.author}: known {one.known}, found {one.found}")
        print(f"  ... {one.solution[-200:]!r}")
    return int(share < 0.995)


if __name__ == "__main__":
    sys.exit(main())
