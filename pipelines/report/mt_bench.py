"""The report's section on MT-Bench: scores, the change against the target, wins and losses."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from evals.mt_bench.results import EQUAL, Mean, Record, Results, TurnCycles, Ungraded, read_results
from evals.paired import PairedComparison
from judge_lightning.court.chat import Usage
from pipelines.durable import read_json
from pipelines.report.cards import style_of
from pipelines.report.terminal import WIDTH

NONE = "–"


@dataclass(frozen=True)
class MTBenchMaterial:
    """What the section is made of; ``grader`` is the model's name, ``sampling`` as configured."""

    grader: str
    sampling: str
    results: Results
    usage: Usage


@dataclass(frozen=True)
class BenchRow:
    """One decoder, in words."""

    name: str
    style: str
    score: str
    turns: list[str]
    change: str
    record: str
    points: str
    kept: list[str]


@dataclass(frozen=True)
class MTBenchSection:
    """What the template needs; ``categories`` has a row of scores per category."""

    lead: str
    rows: list[BenchRow]
    categories: list[tuple[str, list[str]]]
    scored: bool
    compared: bool
    notes: list[str]


def read_mt_bench(folder: Path, grader: str, sampling: str) -> MTBenchMaterial:
    """Reads the artifact of the stage mt_bench."""
    usage = Usage(**read_json(folder / "usage.json"))
    # A folder by its name alone: where on which machine it lies says nothing.
    name = Path(grader).name if Path(grader).is_dir() else grader
    return MTBenchMaterial(name, sampling, read_results(folder / "results.json"), usage)


def summarise_mt_bench(material: MTBenchMaterial) -> dict[str, Any]:
    """For ``summary.json``."""
    return {
        "grader": material.grader,
        "sampling": material.sampling,
        **asdict(material.results),
        "usage": asdict(material.usage),
    }


def mt_bench_section(material: MTBenchMaterial, name_of: Callable[[str], str]) -> MTBenchSection:
    """The section, with the decoders in a reader's words."""
    results = material.results
    decoders = list(results.cycles)
    categories = dict.fromkeys(
        category for scores in results.scores.values() for category in scores.categories
    )
    return MTBenchSection(
        lead=_lead(material),
        rows=[_row(results, decoder, name_of(decoder)) for decoder in decoders],
        categories=[
            (category, [_score(results.scores[name].categories[category]) for name in decoders])
            for category in categories
        ],
        scored=bool(results.scores),
        compared=bool(results.matches),
        notes=_notes(material),
    )


def render_mt_bench_terminal(material: MTBenchMaterial) -> str:
    """The same as plain text, for the terminal."""
    section = mt_bench_section(material, str)
    text = io.StringIO()
    console = Console(file=text, width=WIDTH, color_system=None, force_terminal=False)
    table = Table(
        title=f"MT-Bench: {material.results.questions} questions of two turns, graded by"
        f" {material.grader}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("decoder")
    for name in ("score", "- target", "win/tie/loss", "kept, turn 1", "turn 2"):
        table.add_column(name, justify="right")
    for row in section.rows:
        table.add_row(row.name, row.score, row.change, row.record, *row.kept)
    console.print(table)
    for note in section.notes:
        console.print(note, markup=False, highlight=False)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _lead(material: MTBenchMaterial) -> str:
    results = material.results
    sampled = "greedily" if material.sampling == "greedy" else "at MT-Bench's temperatures"
    parts = [f"{results.questions} questions of two turns, answered {sampled}."]
    if results.scores:
        parts.append(f"{material.grader} graded every answer from 1 to 10.")
    if results.matches:
        parts.append(
            f"{material.grader} compared every answer with the target's in both orders; only what"
            " both orders say counts as a win or a loss, and a tie is worth half a win."
        )
    parts.append(
        "± is a standard error, brackets are a 95 % interval, both over questions. A grade is a"
        " model's opinion."
    )
    return " ".join(parts)


def _row(results: Results, decoder: str, name: str) -> BenchRow:
    scores, record = results.scores.get(decoder), results.matches.get(decoder)
    return BenchRow(
        name=name,
        style=style_of(decoder),
        score=_score(scores.all) if scores else NONE,
        turns=[_score(mean) for mean in scores.turns.values()] if scores else [NONE, NONE],
        change=_change(results.differences.get(decoder)),
        record=_wins(record),
        points=_points(record),
        kept=[_kept(turn) for turn in results.cycles[decoder].values()],
    )


def _score(mean: Mean) -> str:
    if mean.value is None:
        return NONE
    return f"{mean.value:.2f}" + (f" ± {mean.stderr:.2f}" if mean.stderr is not None else "")


def _change(change: PairedComparison | None) -> str:
    if change is None:
        return NONE
    return f"{change.value:+.2f} [{change.low:+.2f}, {change.high:+.2f}]"


def _points(record: Record | None) -> str:
    if record is None or record.points is None:
        return NONE
    gain = record.points
    value, low, high = (
        f"{100 * (EQUAL + number):.0f}" for number in (gain.value, gain.low, gain.high)
    )
    return f"{value} [{low}, {high}]"


def _wins(record: Record | None) -> str:
    return f"{record.wins}/{record.ties}/{record.losses}" if record else NONE


def _kept(cycles: TurnCycles) -> str:
    return NONE if cycles.accepted_per_cycle is None else f"{cycles.accepted_per_cycle:.2f}"


def _notes(material: MTBenchMaterial) -> list[str]:
    results, usage = material.results, material.usage
    notes = []
    if results.matches:
        identical = sum(record.identical for record in results.matches.values())
        disagreed = sum(record.disagreed for record in results.matches.values())
        notes.append(
            f"Of the ties, {identical} are answers that are the target's letter by letter, and"
            f" {disagreed} are verdicts that changed with the order."
        )
    for what, rows in (("Without a grade", results.ungraded), ("Left out", results.left_out)):
        if rows:
            notes.append(f"{what}: {_named(rows)}.")
    cost = f", at a cost of {usage.cost:.2f}" if usage.cost else ""
    notes.append(
        f"Grading took {usage.requests} requests, {usage.prompt_tokens} tokens read and"
        f" {usage.completion_tokens} written{cost}."
    )
    return notes


def _named(rows: Sequence[Ungraded], most: int = 8) -> str:
    """How many for which reason, and which questions."""
    reasons = Counter(row.reason for row in rows)
    counted = ", ".join(f"{count} ({reason})" for reason, count in reasons.items())
    questions = list(dict.fromkeys(row.question for row in rows))
    more = f" and {len(questions) - most} more" if len(questions) > most else ""
    return f"{counted}; questions {', '.join(questions[:most])}{more}"
