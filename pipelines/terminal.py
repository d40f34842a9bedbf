"""The terminal: one console for everything that prints tables, and emphasis for printed results.

Colours are for terminals alone; with ``NO_COLOR`` there are none.
"""

from __future__ import annotations

import re
import sys

from rich.console import Console
from rich.text import Text

WIDTH_ELSEWHERE = 110
"""Columns where output goes to a file or another program."""

_EMPHASIS = (
    (re.compile(r"^\s+(Judge decoding)\b.*$"), "bold green"),
    (re.compile(r"^(warning: |job \S+: ).*$"), "yellow"),
    (re.compile(r"^Refused by the gate\b.*$"), "bold red"),
    (re.compile(r"^[\s─━]*[─━]$"), "dim"),
)
"""What a printed line looks like, and how it is written."""


def open_console(width: int | None = None, elsewhere: int = WIDTH_ELSEWHERE) -> Console:
    """A console on standard output, as wide as the terminal.

    Args:
        width: Columns, if they are not the terminal's.
        elsewhere: Columns where there is no terminal.
    """
    own = None if sys.stdout.isatty() else elsewhere
    return Console(width=width or own, highlight=False)


def print_stage(line: str, *, cached: bool) -> None:
    """Prints the line of a stage, which is dim in a terminal where nothing had to be computed."""
    open_console().print(Text(line, style="dim" if cached else ""), soft_wrap=True)
    sys.stdout.flush()


def print_error(message: str) -> None:
    """One line on stderr, whatever the message contains."""
    print("error: " + " ".join(message.split()), file=sys.stderr, flush=True)


def print_results(text: str) -> None:
    """Prints a run's tables: as they are, in a terminal with what matters emphasised."""
    open_console().print(emphasised(text), soft_wrap=True)
    sys.stdout.flush()


def emphasised(text: str) -> Text:
    """Plain lines with their styles: the first sentence, the judge's row, warnings, rules."""
    lines: list[Text] = []
    for line in text.splitlines():
        style = next((style for form, style in _EMPHASIS if form.match(line)), "")
        if not style and line and not any(one.plain.strip() for one in lines):
            style = "bold"
        lines.append(Text(line, style=style))
    return Text("\n").join(lines)
