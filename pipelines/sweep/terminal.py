"""The tables that a multirun prints when all its jobs are done."""

from __future__ import annotations

import io
from collections.abc import Callable

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from pipelines.report import wording
from pipelines.report.safety import label_of
from pipelines.sweep.paper_table import paper_rows
from pipelines.sweep.ranking import describe, in_order, rank, verdict
from pipelines.sweep.rows import FamilyNumbers, Row, Sweep, show_value
from pipelines.sweep.safety import SafetyTable, safety_tables

WIDTH = 110
_BEST = "bold green"

Cell = Callable[[Row, FamilyNumbers], str]


def render_terminal(sweep: Sweep, width: int = WIDTH) -> str:
    """The tables as plain text of at most ``width`` columns."""
    text = io.StringIO()
    print_sweep(sweep, Console(file=text, width=width, color_system=None, highlight=False))
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def print_sweep(sweep: Sweep, console: Console) -> None:
    """Prints what the jobs say: a verdict, and one row a job, the best one first and marked."""
    done = f"{sweep.title}: {len(sweep.done)} of {len(sweep.rows)} jobs"
    console.print()
    console.print(Text(done, style="bold"))
    for view in sweep.views or [""]:
        if view:
            console.print(Text(verdict(sweep, view)))
        console.print(_fitting(sweep, view, console))
    for safety in safety_tables(sweep.done, show_value):
        console.print(_safety(safety))
    if sweep.beside:
        console.print(_paper(sweep))
    for row in sweep.rows:
        if row.failed is not None:
            console.print(Text(f"job {describe(sweep, row)}: {row.failed}", style="yellow"))


def _fitting(sweep: Sweep, view: str, console: Console) -> Table:
    """The table with as many of the less important columns as have room."""
    unlimited = console.options.update(max_width=10_000)
    for left_out in range(len(_OPTIONAL) + 1):
        table = _table(sweep, view, frozenset(_OPTIONAL[:left_out]))
        if Measurement.get(console, unlimited, table).maximum <= console.width:
            break
    return table


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"


def _change(row: Row, one: FamilyNumbers) -> str:
    if one.change is None or one.change_stderr is None:
        return "-"
    return f"{wording.points(one.change)} ± {one.change_stderr * 100:.1f}"


_COLUMNS: dict[str, Cell] = {
    "AUROC": lambda row, one: _number(row.auroc, ".3f"),
    "mistakes\nrejected": lambda row, one: _number(row.recall, ".1%"),
    "speed-up": lambda row, one: "-" if one.speedup is None else f"{one.speedup:.2f}x",
    "exact": lambda row, one: _number(one.exact, ".2f"),
    "kept": lambda row, one: _number(one.kept, ".2f"),
    "right": lambda row, one: f"{one.right:.1%}{' !' if one.shifted else ''}",
    "- target": _change,
}
_OPTIONAL = ("speed-up", "mistakes\nrejected", "AUROC", "exact")
"""Columns that go where there is no room, the first of them first."""


def _table(sweep: Sweep, view: str, left_out: frozenset[str]) -> Table:
    """One row a job; several views side by side have no room."""
    title = Text(f"On {view}") if len(sweep.views) > 1 else None
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    table.add_column("#", justify="right")
    for label in sweep.axes:
        table.add_column(label, overflow="fold")
    columns = {name: cell for name, cell in _COLUMNS.items() if name not in left_out}
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    best = rank(sweep, view).best
    for row in in_order(sweep, view):
        values = [Text(show_value(value)) for value in row.values]
        one = row.views.get(view)
        cells = ["-" if one is None else cell(row, one) for cell in columns.values()]
        mark, style = ("* ", _BEST) if row is best else ("", "")
        table.add_row(f"{mark}{row.number}", *values, *cells, style=style)
    return table


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
