"""The sweep's pairs beside the paper's, decoder by decoder, each row labelled for what it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from evals.paper import PAPER
from pipelines.sweep.jobs import Job
from pipelines.sweep.rows import Sweep

DECODERS = ("target", "exact", "judge")


@dataclass(frozen=True)
class PaperTableRow:
    """One decoder of one pair, as text; ``kind`` says real, stand-in or the paper's own."""

    pair: str
    decoder: str
    kind: str
    accepted: str
    speedup: str
    tokens: str
    right: str


def paper_rows(sweep: Sweep) -> list[PaperTableRow]:
    """The paper's rows first, then each job's pair."""
    rows = []
    for paper in PAPER:
        for decoder, accepted in (("exact", paper.exact), ("judge", paper.judge)):
            judge = decoder == "judge"
            rows.append(
                PaperTableRow(
                    paper.pair,
                    decoder,
                    f"paper, {paper.machine}",
                    _number(accepted, ".1f"),
                    _number(paper.speedup if judge else None, ".1f", "x"),
                    _number(paper.tokens_per_second if judge else None, ".0f"),
                    "-",
                )
            )
    for job in sweep.jobs:
        if job.failed is None and "decode" in job.summary:
            rows += _rows_of(job)
    return rows


def _rows_of(job: Job) -> Iterator[PaperTableRow]:
    """Tokens and answers are the pair's; its speed is that of the pair that was timed."""
    summary = job.summary
    speed = summary["speed"]
    kind = "stand-in" if summary["stand_in"] else "real"
    if speed["stand_in"] and not summary["stand_in"]:
        kind = f"real; speed of the stand-in {speed['pair']}"
    for decoder in DECODERS:
        row = summary["decode"].get(decoder)
        if row is None:
            continue
        alone = decoder == "target"
        yield PaperTableRow(
            summary["pair"],
            decoder,
            kind,
            "-" if alone else f"{row['accepted_per_cycle']:.1f}",
            f"{row['speedup']:.2f}x",
            f"{row['tokens_per_second']:.0f}",
            f"{row['right']:.1%} ± {row['right_stderr'] * 100:.1f}",
        )


def _number(value: float | None, form: str, unit: str = "") -> str:
    return "-" if value is None else f"{value:{form}}{unit}"
