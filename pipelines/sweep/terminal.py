"""The table that a multirun prints when all its jobs are done."""

from __future__ import annotations

import io

from rich import box
from rich.console import Console
from rich.table import Table

from pipelines.report import wording
from pipelines.report.safety import label_of
from pipelines.sweep.paper_table import paper_rows
from pipelines.sweep.rows import Row, Sweep
from pipelines.sweep.safety import SafetyTable, safety_tables

WIDTH = 110


def render_terminal(sweep: Sweep) -> str:
    """One row a job, ``WIDTH`` columns wide at most."""
    text = io.StringIO()
    console = Console(file=text, width=WIDTH, color_system=None, force_terminal=False)
    console.print(f"\n{sweep.title}: {len(sweep.done)} of {len(sweep.rows)} jobs", markup=False)
    for view in sweep.views or [""]:
        console.print(_table(sweep, view))
    for safety in safety_tables(sweep.done, show_value):
        console.print(_safety(safety))
    if sweep.beside:
        console.print(_paper(sweep))
    for row in sweep.rows:
        if row.failed is not None:
            console.print(f"job {row.job}: {row.failed}", markup=False, highlight=False)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _table(sweep: Sweep, view: str) -> Table:
    """One row a job; several views side by side have no room."""
    title = f"On {view}" if len(sweep.views) > 1 else None
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("#", justify="right")
    for label in sweep.axes:
        table.add_column(label)
    for name in ("AUROC", "mistakes\nrejected", "exact", "kept", "right", "- target"):
        table.add_column(name, justify="right")
    for row in sweep.done:
        table.add_row(
            str(row.number),
            *(show_value(value) for value in row.values),
            "-" if row.auroc is None else f"{row.auroc:.3f}",
            "-" if row.recall is None else f"{row.recall:.1%}",
            *_family_cells(row, view),
        )
    return table


def _family_cells(row: Row, family: str) -> list[str]:
    one = row.views.get(family)
    if one is None:
        return ["-"] * 4
    change = "-"
    if one.change is not None and one.change_stderr is not None:
        change = f"{wording.points(one.change)} ± {one.change_stderr * 100:.1f}"
    warned = " !" if one.shifted else ""
    return [
        "-" if one.exact is None else f"{one.exact:.2f}",
        "-" if one.kept is None else f"{one.kept:.2f}",
        f"{one.right:.1%}{warned}",
        change,
    ]


def _safety(found: SafetyTable) -> Table:
    table = Table(title=found.title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("category")
    for name in [*(["standard"] if found.standard else []), *found.columns]:
        table.add_column(name, justify="right")
    for name, fine, standard, cells in found.rows:
        label = label_of(name, harmless=fine)
        table.add_row(label, *([standard] if found.standard else []), *cells)
    return table


def _paper(sweep: Sweep) -> Table:
    table = Table(title="Beside the paper", title_justify="left", box=box.SIMPLE_HEAD)
    for name in ("pair", "decoder", "what it is"):
        table.add_column(name)
    for name in ("accepted/cycle", "speed-up", "tokens/s", "right"):
        table.add_column(name, justify="right")
    for row in paper_rows(sweep):
        table.add_row(
            row.pair, row.decoder, row.kind, row.accepted, row.speedup, row.tokens, row.right
        )
    return table


def show_value(value: object) -> str:
    """A setting as one reads it."""
    if value is None:
        return "null"
    return f"{value:g}" if isinstance(value, float) else str(value)
