"""A text as a target sees it, token by token: records, their files, and runs of accepted tokens.

A *run* is what a speculative decoder would keep between two rejections, had the text been its
draft.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

JUDGE_FILE = "judge.json"
"""Holds ``threshold`` and ``layer`` of the judge that was asked; null without one."""


@dataclass(frozen=True)
class ScoredAnswer:
    """One answer as the target sees it; one entry per token in each list.

    ``ranks``, ``probabilities`` and ``judge`` are those of ``TokenScores``; ``labels`` are 1
    correct, 0 mistake, ``IGNORED`` unknown.
    """

    text: str
    prompt_id: str
    sample: int
    token_ids: list[int]
    ranks: list[int]
    probabilities: list[float]
    labels: list[int]
    judge: list[float] | None = None

    def standard(self) -> list[bool]:
        """What the greedy standard rule accepts: the target's own choice."""
        return [rank == 1 for rank in self.ranks]

    def judged(self, threshold: float) -> list[bool]:
        """What the paper's rule accepts: the standard rule's tokens and the judge's."""
        assert self.judge is not None
        return [
            rank == 1 or probability > threshold
            for rank, probability in zip(self.ranks, self.judge, strict=True)
        ]


def score_file(folder: Path, text: str, number: int) -> Path:
    """The ``number``-th shard of a text's answers."""
    return folder / f"scores-{text}-{number:05d}.jsonl"


def score_files(folder: Path, text: str) -> list[Path]:
    """All shards of a text's answers, in order."""
    return sorted(folder.glob(f"scores-{text}-{'[0-9]' * 5}.jsonl"))


def write_scores(path: Path, answers: Iterable[ScoredAnswer]) -> None:
    """Writes one answer a line."""
    with path.open("w", encoding="utf-8") as file:
        for answer in answers:
            file.write(json.dumps(vars(answer), sort_keys=True) + "\n")


def read_scores(paths: Iterable[Path]) -> Iterator[ScoredAnswer]:
    """Reads what ``write_scores`` wrote, one answer at a time."""
    for path in paths:
        with path.open(encoding="utf-8") as file:
            for line in file:
                yield ScoredAnswer(**json.loads(line))


def run_lengths(accepted: Sequence[bool]) -> list[int]:
    """Lengths of the runs: a rejection ends one (of 0, behind another), and so does the text.

    ``[yes, yes, no, no, yes]`` has the runs 2, 0 and 1.
    """
    runs: list[int] = []
    length = 0
    for kept in accepted:
        if kept:
            length += 1
        else:
            runs.append(length)
            length = 0
    return [*runs, length] if length else runs


def kept_per_cycle(accepted: Sequence[bool], draft_length: int) -> list[int]:
    """Tokens kept of each draft, when the text is offered ``draft_length`` tokens at a time.

    As in decoding, a cycle ends at the first rejection or with the draft, and the target adds one
    token; the text's own stands in its place, so the next draft begins behind it.
    """
    counts: list[int] = []
    start = 0
    while start < len(accepted):
        draft = accepted[start : start + draft_length]
        counts.append(draft.index(False) if False in draft else len(draft))
        start += counts[-1] + 1
    return counts
