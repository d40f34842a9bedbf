"""The report of a run that measures acceptance alone: its page, its summary, its table."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from evals.statistics import Estimate
from pipelines.manifest import Manifest
from pipelines.report.acceptance import AcceptanceMaterial, summarise_acceptance
from pipelines.report.acceptance_section import acceptance_section, mistakes, share
from pipelines.report.cards import BlockRow
from pipelines.report.lineage import lineage_section
from pipelines.report.origin import origin_section
from pipelines.report.page import render_page, styles
from pipelines.report.scripts import CHARTS, LINEAGE, page_scripts
from pipelines.report.summary import SCHEMA
from pipelines.report.terminal import WIDTH
from pipelines.report.wording import Finding, percent

MOST_BLOCKS = 6
"""Texts that are pictured at the page's head."""


@dataclass(frozen=True)
class AcceptanceRun:
    """What the page says of the run itself; ``stand_in`` as in ``Identity``.

    ``lineage`` has, beside ``manifests``, those of the artifacts that these were made from.
    """

    exp: str
    pair: str
    stand_in: str
    manifests: dict[str, Manifest]
    lineage: dict[str, Manifest]


def summarise_run(run: AcceptanceRun, material: AcceptanceMaterial) -> dict[str, Any]:
    """``summary.json``: the keys of every run, and ``acceptance``."""
    return {
        "schema": SCHEMA,
        "exp": run.exp,
        "pair": run.pair,
        "stand_in": run.stand_in or None,
        "stages": {name: {"key": one.key} for name, one in run.manifests.items()},
        "acceptance": summarise_acceptance(material),
    }


def render_acceptance_page(
    run: AcceptanceRun, material: AcceptanceMaterial, missing: Sequence[str] = ()
) -> str:
    """The page; everything that a model or a person wrote is escaped.

    Args:
        missing: What could not be read, a line each.
    """
    main = material.texts[material.main]
    return render_page(
        "acceptance.html.j2",
        scripts=page_scripts(CHARTS, LINEAGE),
        css=styles("report.css", "token_view.css", "acceptance.css"),
        run=run,
        missing=missing,
        draft_length=material.identity.draft_length,
        prompts=main.prompts,
        sentence=sentence(material),
        findings=findings(material),
        blocks=_blocks(material),
        acceptance=acceptance_section(material),
        parts=[lineage_section(run.lineage), origin_section(run.manifests, run.exp)],
    )


def render_acceptance_terminal(material: AcceptanceMaterial) -> str:
    """The headline and the texts as a table of plain text, ``WIDTH`` columns wide."""
    text = io.StringIO()
    console = Console(file=text, width=WIDTH, color_system=None, force_terminal=False)
    console.print(f"\n{sentence(material)}\n", markup=False, highlight=False)
    console.print(_table(material))
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def sentence(material: AcceptanceMaterial) -> str:
    """What was found, in one sentence."""
    name = material.main
    text, what = material.texts[name], material.identity.texts[name]
    rejected, rescued = text.correct_rejected, text.rescued
    if rejected is None:
        return (
            f"Standard verification accepts {percent(text.standard.acceptance.value)} of the tokens"
            f" of {what}, {text.standard.run.value:.1f} in a row on average."
        )
    found = (
        f"Standard verification rejects {percent(rejected.value)} of the correct tokens of {what}"
    )
    if rescued is None:
        return f"{found}."
    return f"{found}; the judge wins {percent(rescued.value)} of them back."


def findings(material: AcceptanceMaterial) -> list[Finding]:
    """Up to three headline numbers."""
    name = material.main
    text, length = material.texts[name], material.identity.draft_length
    kept = text.standard.accepted_per_cycle.value
    rejected = text.correct_rejected
    found = []
    if rejected is None:
        words = f"of the {text.tokens:,} tokens of {name} are not what the target would have put"
        number = percent(1 - text.standard.acceptance.value)
        found.append(Finding("Rejected", number, words, "even"))
    else:
        words = (
            f"of the {text.correct:,} correct tokens of {name}: of {length} offered, standard"
            f" verification keeps {kept:.1f}"
        )
        found.append(Finding("Rejected though correct", percent(rejected.value), words, "bad"))
    if text.judge is not None and text.rescued is not None:
        words = (
            f"of them are kept by the judge: of {length} offered,"
            f" {text.judge.accepted_per_cycle.value:.1f} are kept"
        )
        found.append(Finding("Won back", percent(text.rescued.value), words, "good"))
    passed, wrong = material.mistakes
    if wrong and text.judge is not None:
        words = (
            f"of the mistakes in all texts pass: {passed} of {wrong} tokens are kept all the same"
        )
        found.append(Finding("Price", percent(passed / wrong), words, "even"))
    return found


def _blocks(material: AcceptanceMaterial) -> list[BlockRow]:
    rows = []
    for name, text in list(material.texts.items())[:MOST_BLOCKS]:
        rules = [(f"{name}, standard", "exact", text.standard)]
        if text.judge is not None:
            rules.append((f"{name}, judge", "judge", text.judge))
        for label, style, rule in rules:
            kept = rule.accepted_per_cycle.value
            rows.append(BlockRow.of(label, style, kept, material.identity.draft_length))
    return rows


def _table(material: AcceptanceMaterial) -> Table:
    table = Table(
        title=f"Texts read as drafts; kept of {material.identity.draft_length} offered tokens",
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    judged, labelled = material.threshold is not None, material.labelled
    table.add_column("text", no_wrap=True)
    columns = ["accepted %", *(["judge %"] if judged else []), "kept"]
    columns += ["judge"] if judged else []
    columns += ["correct\nrejected %"] if labelled else []
    columns += ["won\nback %", "mistakes\nkept"] if judged and labelled else []
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for name, text in material.texts.items():
        judge = text.judge
        cells = [
            _share(text.standard.acceptance),
            *([f"{judge.acceptance.value * 100:.1f}"] if judge else []),
        ]
        cells += [f"{rule.accepted_per_cycle.value:.1f}" for rule in (text.standard, judge) if rule]
        cells += [_share(text.correct_rejected)] if labelled else []
        cells += [_share(text.rescued), mistakes(text)] if judged and labelled else []
        table.add_row(name, *cells)
    return table


def _share(estimate: Estimate | None) -> str:
    """A narrow form of ``share``."""
    return share(estimate).removesuffix(" %")
