"""The table that a run prints when it is done."""

from __future__ import annotations

import io

from rich import box
from rich.console import Console
from rich.table import Table

from evals.decoders import is_speculative
from pipelines.report import promise, quality, wording
from pipelines.report.material import Material

WIDTH = 96


def render_terminal(material: Material) -> str:
    """The headline and the quality table as plain text, ``WIDTH`` columns wide."""
    text = io.StringIO()
    console = Console(file=text, width=WIDTH, color_system=None, force_terminal=False)
    console.print(f"\n{wording.verdict_sentence(material)}\n", markup=False, highlight=False)
    if note := wording.stand_in_note(material):
        console.print(f"{note}\n", markup=False, highlight=False)
    console.print(_headline(material))
    for note in (wording.sources(material), wording.speed_note(material)):
        if note:
            console.print(f"{note}\n", markup=False, highlight=False)
    if material.results:
        console.print(quality.quality_table(material))
    if quality.paired_rows(material):
        console.print(quality.paired_table(material))
    lines = quality.gate_lines(material)
    if material.identity.judged:
        lines += [promise.promise(material), promise.beside_plain(material)]
    lines += [f"warning: {line}" for line in promise.shift_warnings(material)]
    for line in filter(None, lines):
        console.print(line, markup=False, highlight=False)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _headline(material: Material) -> Table:
    identity = material.identity
    prompts = material.headline["target"].prompts
    label = "stand-in: " if identity.stand_in else ""
    table = Table(
        title=f"{label}{prompts} held-out '{identity.headline}' prompts, draft length"
        f" {identity.proposals}, one prompt at a time",
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("decoder")
    of_stand_in = "\nstand-in" if material.speed.apart else ""
    for name in ("accepted/cycle", "tokens/cycle"):
        table.add_column(name, justify="right")
    for name in ("tokens/s", "speed-up"):
        table.add_column(name + of_stand_in, justify="right")
    table.add_column("right", justify="right")
    for name, row in material.headline.items():
        speculative, timed = is_speculative(name), material.speed.rows[name]
        table.add_row(
            identity.name_of(name),
            f"{row.accepted_per_cycle:.2f}" if speculative else "-",
            f"{row.tokens_per_cycle:.2f}" if speculative else "-",
            f"{timed.tokens_per_second:.0f}",
            f"{timed.speedup:.2f}x",
            wording.with_error(row.right, row.right_stderr),
        )
    return table
