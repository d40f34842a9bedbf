"""``export``, ``import`` and ``merge``: decisions in other people's formats, and together."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from judge_lightning.court.rejects import Rejected, count_reasons, write_rejected
from judge_lightning.court.review import (
    Decision,
    adjudicate,
    agreements,
    read_reviews,
    with_adjudicator,
)
from judge_lightning.court.review.adjudication import DISPUTED, KEEP, REJECT, SKIPPED, by_tuple
from judge_lightning.court.review.exchange import from_json_lines, to_json_lines
from judge_lightning.court.review.label_studio import (
    LABEL_CONFIG,
    from_label_studio,
    to_label_studio,
)
from judge_lightning.errors import UserError
from pipelines.durable import write_text
from pipelines.review.court import find_court, read_items

JSON_LINES, LABEL_STUDIO = "jsonl", "label-studio"
FORMATS = (JSON_LINES, LABEL_STUDIO)


def export_decisions(options: argparse.Namespace, console: Console) -> int:
    """Writes the tuples of a run with the decisions about them."""
    place = find_court(options.run, options.artifacts_dir, options.prompts)
    decisions = options.decisions or sorted(place.reviews.glob("*.jsonl"))
    about = by_tuple(read_reviews(decisions))
    items = read_items(place, options.sample)
    if options.only_decided:
        items = [item for item in items if item.id in about]
    _new_file(options.out)
    if options.format == JSON_LINES:
        _write_lines(options.out, (json.dumps(row) for row in to_json_lines(items, about)))
    else:
        write_text(options.out, json.dumps(list(to_label_studio(items, about)), indent=1) + "\n")
        config = options.out.with_suffix(".xml")
        write_text(config, LABEL_CONFIG)
        console.print(f"labelling configuration of the project: {config}", soft_wrap=True)
    decided = sum(len(about.get(item.id, ())) for item in items)
    console.print(f"{len(items)} tuples with {decided} decisions: {options.out}", soft_wrap=True)
    return 0


def import_decisions(options: argparse.Namespace, console: Console) -> int:
    """Reads decisions from another program's file into a decisions file.

    What cannot be used is kept aside beside it, and named.
    """
    _existing_file(options.file)
    _new_file(options.out)
    if options.format == LABEL_STUDIO:
        try:
            tasks: Any = json.loads(options.file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UserError(
                str(options.file), f"is no JSON ({error})", "export as JSON from Label Studio"
            ) from error
        found = list(from_label_studio(tasks, str(options.file), options.reviewer))
    else:
        with options.file.open("rb") as lines:
            found = list(from_json_lines(lines, str(options.file), options.reviewer))
    decisions = [one for one in found if isinstance(one, Decision)]
    rejected = [one for one in found if isinstance(one, Rejected)]
    if not decisions:
        reasons = count_reasons(rejected) or "it has none"
        raise UserError(str(options.file), f"no decision in it ({reasons})", "check --format")
    _write_lines(options.out, (decision.line() for decision in decisions), end="")
    reviewers = ", ".join(sorted({decision.reviewer for decision in decisions}))
    console.print(f"{len(decisions)} decisions by {reviewers}: {options.out}", soft_wrap=True)
    if rejected:
        aside = options.out.with_name(f"{options.out.stem}.rejected.jsonl")
        write_rejected(aside, rejected)
        reasons = ", ".join(f"{n} x {reason}" for reason, n in count_reasons(rejected).items())
        console.print(f"{len(rejected)} kept aside ({reasons}): {aside}", soft_wrap=True)
    return 0


def merge_decisions(options: argparse.Namespace, console: Console) -> int:
    """Prints how far the files' reviewers agree, and writes one file of what holds."""
    decisions = read_reviews(options.files)
    reviewers = sorted({decision.reviewer for decision in decisions})
    if options.adjudicator and options.adjudicator not in reviewers:
        raise UserError(
            "--adjudicator", f"{options.adjudicator} decided nothing", f"one of {reviewers}"
        )
    print_agreement(decisions, console)
    if options.adjudicator:
        decisions = with_adjudicator(decisions, options.adjudicator)
    outcomes = Counter(adjudicate(about).kind for about in by_tuple(decisions).values())
    kinds = (KEEP, REJECT, DISPUTED, SKIPPED)
    together = ", ".join(f"{outcomes[kind]} {kind}" for kind in kinds if outcomes[kind])
    console.print(f"{outcomes.total()} tuples reviewed: {together or 'none'}")
    if options.out:
        _new_file(options.out)
        ordered = sorted(decisions, key=lambda d: (d.tuple_id, d.reviewer))
        _write_lines(options.out, (decision.line() for decision in ordered), end="")
        console.print(f"{len(ordered)} decisions: {options.out}", soft_wrap=True)
    return 0


def print_agreement(decisions: list[Decision], console: Console) -> None:
    """A table of what each reviewer decided, and one of every two reviewers' agreement."""
    counts: dict[str, Counter[str]] = {}
    for decision in decisions:
        counts.setdefault(decision.reviewer, Counter())[decision.verdict] += 1
    verdicts = ("accept", "move", "reject", "skip")
    table = Table("reviewer", *verdicts, title="Decisions")
    for reviewer, of_one in sorted(counts.items()):
        table.add_row(reviewer, *(str(of_one[verdict]) for verdict in verdicts))
    console.print(table)
    if len(counts) < 2:
        return
    table = Table(
        "reviewers", "both judged", "same decision", "kappa", "same place", "overlapping",
        title="Agreement",
    )  # fmt: skip
    for pair in agreements(decisions):
        table.add_row(
            f"{pair.first}, {pair.second}",
            str(pair.shared),
            _share(pair.same_verdict, pair.shared),
            "-" if pair.kappa is None else f"{pair.kappa:.2f}",
            _share(pair.exact, pair.both_kept),
            _share(pair.overlapping, pair.both_kept),
        )
    console.print(table)


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.0%})" if whole else "-"


def _write_lines(path: Path, lines: Iterable[str], end: str = "\n") -> None:
    write_text(path, "".join(line + end for line in lines))


def _existing_file(path: Path) -> None:
    if not path.is_file():
        raise UserError(str(path), "no such file", "name the file to import")


def _new_file(path: Path) -> None:
    if path.exists():
        raise UserError("--out", f"{path} exists", "name a new file")
    if not path.parent.is_dir():
        raise UserError("--out", f"{path.parent} is no folder", "make it first")
