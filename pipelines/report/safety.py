"""What the report says of flagged texts: shares by category, summary, table, and the page's
section."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from evals.safety import ALL, CategoryStatistics, TokenVerdicts, category_statistics, read_verdicts
from evals.statistics import Estimate
from judge_lightning.court.labels import CORRECT, MISTAKE
from pipelines.durable import read_json
from pipelines.report.token_text import Mark
from pipelines.report.wording import percent, with_error

WIDTH = 96
MOST_SHOWN = 8
"""Categories of which one text is shown."""

LEGEND = (
    ("both", "accepted by both"),
    ("judge", "accepted by the judge alone"),
    ("standard", "accepted by the standard rule alone"),
    ("target", "rejected"),
    ("mistake", "marked in the file"),
)


@dataclass(frozen=True)
class SafetyMaterial:
    """Everything that is said of flagged texts.

    Attributes:
        categories: By name; the last is all that is not harmless, under ``ALL``.
        examples: A text of each category, where there is one whose first flagged token is kept.
    """

    threshold: float
    layer: int
    categories: dict[str, CategoryStatistics]
    examples: list[TokenVerdicts]


@dataclass(frozen=True)
class SafetyRow:
    """One category in words; a dash where nothing is known."""

    name: str
    harmless: bool
    items: int
    tokens: str
    standard: str
    judge: str
    kept: str
    first: str
    whole: str
    control: str


@dataclass(frozen=True)
class SafetyView:
    """One text, token by token."""

    title: str
    prompt: str
    marks: list[Mark]


@dataclass(frozen=True)
class SafetySection:
    """What the template needs."""

    sentence: str
    rows: list[SafetyRow]
    answers: list[SafetyView]
    legend: tuple[tuple[str, str], ...] = LEGEND


def read_safety(folder: Path) -> SafetyMaterial:
    """Reads the stage's artifact."""
    judge = read_json(folder / "judge.json")
    items = list(read_verdicts(sorted(folder.glob("verdicts-*.jsonl"))))
    return SafetyMaterial(
        threshold=judge["threshold"],
        layer=judge["layer"],
        categories=category_statistics(items),
        examples=_examples(items),
    )


def summarise_safety(material: SafetyMaterial) -> dict[str, Any]:
    """What ``summary.json`` says under ``safety``."""
    return {
        "threshold": material.threshold,
        "layer": material.layer,
        "categories": {name: asdict(one) for name, one in material.categories.items()},
    }


def safety_section(material: SafetyMaterial) -> SafetySection:
    """The section of a run that has offered flagged texts."""
    return SafetySection(
        sentence=sentence(material),
        rows=[row(name, one) for name, one in material.categories.items()],
        answers=[_view(example) for example in material.examples],
    )


def sentence(material: SafetyMaterial) -> str:
    """What was found, in one sentence."""
    found = material.categories.get(ALL)
    if found is None or found.judge is None or found.standard is None or found.first_kept is None:
        return "No flagged text was offered."
    return (
        f"At threshold {material.threshold:.2f} the judge accepts {percent(found.judge.value)} of"
        f" {found.tokens:,} flagged tokens, standard verification {percent(found.standard.value)};"
        f" in {percent(found.first_kept.value)} of {found.items} texts the first of them is kept."
    )


def row(name: str, one: CategoryStatistics) -> SafetyRow:
    """One category's shares with their standard errors."""
    return SafetyRow(
        name=name,
        harmless=one.harmless,
        items=one.items,
        tokens=f"{one.tokens:,}",
        standard=_share(one.standard),
        judge=_share(one.judge),
        kept=_share(one.kept),
        first=_share(one.first_kept),
        whole=_share(one.whole_kept),
        control=_share(one.control_judge),
    )


def render_safety_terminal(material: SafetyMaterial) -> str:
    """The sentence, and a category a line, ``WIDTH`` columns wide."""
    text = io.StringIO()
    console = Console(file=text, width=WIDTH, color_system=None, force_terminal=False)
    console.print(f"\n{sentence(material)}\n", markup=False, highlight=False)
    table = Table(
        title="Flagged texts: share of flagged tokens accepted (harmless: of marked ones), %",
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("category")
    for name in ("texts", "standard", "judge", "first\nkept", "control:\njudge"):
        table.add_column(name, justify="right")
    for one in (row(name, found) for name, found in material.categories.items()):
        cells = (one.standard, one.judge, one.first, one.control)
        shown = [cell.removesuffix(" %") for cell in cells]
        table.add_row(label_of(one.name, harmless=one.harmless), str(one.items), *shown)
    console.print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def label_of(category: str, *, harmless: bool) -> str:
    """A category's name in a table of plain text, where nothing else says that it is fine."""
    return f"{category} (fine)" if harmless and category != "harmless" else category


def _share(estimate: Estimate | None) -> str:
    return "–" if estimate is None else with_error(estimate.value, estimate.stderr)


def _examples(items: Iterable[TokenVerdicts]) -> list[TokenVerdicts]:
    """Of each category the first text whose first flagged token is kept, else the first."""
    found: dict[str, TokenVerdicts] = {}
    for item in items:
        if MISTAKE not in item.labels:
            continue
        shown = found.get(item.category)
        if shown is None or (not _first_kept(shown) and _first_kept(item)):
            found[item.category] = item
    return list(found.values())[:MOST_SHOWN]


def _first_kept(item: TokenVerdicts) -> bool:
    return item.kept()[item.labels.index(MISTAKE)]


def _view(item: TokenVerdicts) -> SafetyView:
    facts = zip(
        item.tokens, item.labels, item.standard, item.judge, item.probabilities, strict=True
    )
    return SafetyView(
        title=f"{item.category}: {item.id}",
        prompt=item.prompt,
        marks=[_mark(*one) for one in facts],
    )


def _mark(token: str, label: int, standard: bool, judge: bool, probability: float) -> Mark:
    fates = {(True, True): "both", (True, False): "standard", (False, True): "judge"}
    style = fates.get((standard, judge), "target") + (" mistake" if label == MISTAKE else "")
    known = {MISTAKE: "; flagged", CORRECT: ""}.get(label, "; behind what is flagged")
    return Mark.of(token, style, f"judge {probability:.2f}{known}")
