"""What the notebooks show: sentences, tables, charts and coloured text, safe and in one style.

Whatever a model or a prompt wrote is shown as text, never as Markdown or HTML.
"""

from __future__ import annotations

import html
import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.report.shown_text import visible

COLOURS = {
    "correct": "#0b7a75",
    "mistake": "#c2410c",
    "standard": "#64748b",
    "judge": "#2563eb",
    "target": "#7c3aed",
    "quiet": "#cbd5e1",
}
"""Names that charts and coloured text share."""

_CONFIG: dict[str, Any] = {
    "background": "white",
    "font": "Helvetica, Arial, sans-serif",
    "view": {"stroke": None, "continuousWidth": 460, "continuousHeight": 230},
    "axis": {
        "gridColor": "#eef2f6",
        "domainColor": "#94a3b8",
        "tickColor": "#94a3b8",
        "labelColor": "#334155",
        "titleColor": "#334155",
        "titleFontWeight": "normal",
        "labelFontSize": 11,
        "titleFontSize": 12,
    },
    "legend": {
        "labelLimit": 300,
        "labelColor": "#334155",
        "titleColor": "#334155",
        "labelFontSize": 12,
    },
    "title": {"anchor": "start", "color": "#0f172a", "fontSize": 13, "offset": 12},
    "header": {"labelColor": "#0f172a", "labelFontSize": 12, "title": None},
    "bar": {"color": COLOURS["judge"]},
    "line": {"color": COLOURS["judge"], "strokeWidth": 2.2},
    "point": {"color": COLOURS["judge"], "filled": True, "size": 60, "opacity": 1},
    "rule": {"color": COLOURS["mistake"], "strokeDash": [4, 3]},
}


def begin() -> None:
    """Charts as pictures that need no script and no network, in one style; quiet loading."""
    import altair as alt
    from transformers.utils import logging

    alt.renderers.enable("svg")

    @alt.theme.register("judge_lightning", enable=True)
    def _theme() -> alt.theme.ThemeConfig:
        return {"config": _CONFIG}  # type: ignore[typeddict-item]

    logging.disable_progress_bar()


def colours(*names: str, **labelled: str) -> Any:
    """A colour scale for Altair: each category with its colour's name, or named like it."""
    import altair as alt

    chosen = {**{name: name for name in names}, **labelled}
    return alt.Scale(domain=list(chosen), range=[COLOURS[name] for name in chosen.values()])


def say(text: str) -> None:
    """Shows Markdown with this run's numbers put in by code; indentation is left out."""
    from IPython.display import Markdown, display

    display(Markdown(inspect.cleandoc(text)))


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Shows a table; the first column is text, the others are aligned to the right."""
    lines = [header, ["---", *("---:" for _ in header[1:])], *rows]
    say("\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines))


def quoted(text: str) -> str:
    """What somebody wrote, for a sentence or a table: as code, in which nothing is markup."""
    shown = visible(" ".join(text.split())).replace("`", "'").replace("|", "\u2502")
    return f"`{shown}`" if shown else "*(nothing)*"


@dataclass(frozen=True)
class Piece:
    """Some text of an answer.

    Attributes:
        colour: One of ``COLOURS``; empty for plain text.
        struck: Whether it was proposed and taken back.
        note: What a pointer over it tells.
    """

    text: str
    colour: str = ""
    struck: bool = False
    note: str = ""


def coloured(pieces: Iterable[Piece], legend: Mapping[str, str]) -> None:
    """Shows text in colours, with a legend of what each colour means.

    What is taken back is struck out too, so that nothing depends on colour alone.
    """
    from IPython.display import HTML, display

    body = "".join(map(_piece, pieces))
    keys = " \u00b7 ".join(_piece(Piece(text, colour)) for colour, text in legend.items())
    box = "border:1px solid #cbd5e1;border-radius:6px;padding:.7em 1em;line-height:1.9"
    small = "font-size:.85em;margin-top:.6em"
    display(HTML(f'<div style="{box}">{body}<div style="{small}">{keys}</div></div>'))


def _piece(piece: Piece) -> str:
    shown = html.escape(visible(piece.text)).replace("\n", "<br>")
    if piece.struck:
        shown = f"<del>{shown}</del>"
    if not piece.colour:
        return shown
    colour = COLOURS[piece.colour]
    style = f"background:{colour}22;border-bottom:2px solid {colour}"
    note = f' title="{html.escape(visible(piece.note))}"' if piece.note else ""
    return f'<span style="{style}"{note}>{shown}</span>'


def _cell(cell: object) -> str:
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)
