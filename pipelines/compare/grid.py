"""Values of several runs as tables: a column a run, or a row a run where columns have no room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich import box
from rich.table import Table
from rich.text import Text

_LABEL, _COLUMN = 24, 20
"""Columns of a terminal that a label and a run's value want."""

_MOST_UPRIGHT = 4
"""Of more runs, each is a row however wide the terminal is."""

_GAP = 2
"""What a table leaves between two columns."""


@dataclass(frozen=True)
class Line:
    """One thing that is told of every run."""

    label: str
    cells: list[Text]


@dataclass
class Grid:
    """Lines under a title; a heading a run, in the order of the cells."""

    title: str
    headings: Sequence[str]
    sections: dict[str, list[Line]] = field(default_factory=dict)

    def add(self, label: str, cells: Sequence[Text], section: str = "") -> None:
        """Appends a line to a section."""
        self.sections.setdefault(section, []).append(Line(label, list(cells)))


def stand_upright(runs: int, width: int) -> bool:
    """Whether so many runs have a column each in a terminal of this width."""
    return runs <= min(_MOST_UPRIGHT, max(2, (width - _LABEL) // _COLUMN))


def tables(grid: Grid, width: int, *, upright: bool) -> Iterator[Table]:
    """The grid as tables of at most ``width`` columns."""
    if upright:
        yield _upright(grid)
        return
    for section, lines in grid.sections.items():
        title = ": ".join(filter(None, [grid.title, section]))
        for part in _parts(lines, width - _widest(grid.headings) - _GAP):
            yield _flat(title, grid.headings, part)
            title = f"{title} (continued)" if not title.endswith("(continued)") else title


def _upright(grid: Grid) -> Table:
    table = _table(grid.title)
    table.add_column("")
    for heading in grid.headings:
        table.add_column(heading, overflow="fold")
    for place, (section, lines) in enumerate(grid.sections.items()):
        if place:
            table.add_row()
        if section:
            table.add_row(Text(section, style="bold"))
        for line in lines:
            label = f"  {line.label}" if section else line.label
            table.add_row(Text(label), *line.cells)
    return table


def _flat(title: str, headings: Sequence[str], lines: Sequence[Line]) -> Table:
    table = _table(title)
    table.add_column("", no_wrap=True)
    for line in lines:
        table.add_column(line.label, overflow="fold")
    for place, heading in enumerate(headings):
        table.add_row(heading, *(line.cells[place] for line in lines))
    return table


def _parts(lines: Sequence[Line], room: int) -> Iterator[list[Line]]:
    """Lines that have room beside each other as columns, at least one at a time."""
    part: list[Line] = []
    left = room
    for line in lines:
        words = [*line.label.split(), *(cell.plain for cell in line.cells)]
        wants = _widest(words) + _GAP
        if part and wants > left:
            yield part
            part, left = [], room
        part.append(line)
        left -= wants
    if part:
        yield part


def _widest(texts: Sequence[str]) -> int:
    return max((len(text) for text in texts), default=0)


def _table(title: str) -> Table:
    return Table(title=Text(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
