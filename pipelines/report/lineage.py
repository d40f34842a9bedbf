"""The lineage of a run's artifacts: a graph whose nodes open what is known of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from pipelines.manifest import Manifest
from pipelines.plan import SHORT_KEY
from pipelines.report.faults import AbsentError
from pipelines.report.page import render_fragment
from pipelines.report.wording import in_size

WIDTH, ROW, BOX = 360, 50, 36
LEFT = 96
"""Where the boxes begin: arcs of artifacts that are read further on run left of them."""
MOST_FILES = 30
"""Files of an artifact that are named; of more it is said how many."""


@dataclass(frozen=True)
class Node:
    """One artifact of the graph; without a ``manifest`` nothing but its key is known."""

    stage: str
    key: str
    manifest: Manifest | None
    top: int

    @property
    def middle(self) -> float:
        """The height at which arcs meet it."""
        return self.top + BOX / 2

    @property
    def facts(self) -> str:
        """Short key, size and seconds, in a line."""
        if self.manifest is None:
            return f"{self.key[:SHORT_KEY]} · not at hand"
        seconds = self.manifest.timings.get("seconds")
        took = f" · {seconds:,.1f} s" if isinstance(seconds, int | float) else ""
        return f"{self.key[:SHORT_KEY]} · {in_size(self.manifest.bytes)}{took}"

    @property
    def settings(self) -> str:
        """Its settings as text."""
        settings = {} if self.manifest is None else self.manifest.settings
        return json.dumps(settings, indent=2, sort_keys=True, ensure_ascii=False)

    @property
    def files(self) -> list[tuple[str, str]]:
        """Names and sizes of its first files."""
        entries = {} if self.manifest is None else self.manifest.files
        return [(name, in_size(entry.bytes)) for name, entry in list(entries.items())[:MOST_FILES]]

    @property
    def more_files(self) -> int:
        """How many files are not named."""
        return 0 if self.manifest is None else max(0, len(self.manifest.files) - MOST_FILES)


@dataclass(frozen=True)
class Edge:
    """One artifact that another one reads, as a path, with the head of its arrow."""

    source: str
    target: str
    path: str
    head: str


def lineage_section(manifests: Mapping[str, Manifest]) -> Markup:
    """The graph, and below each other what a click on its nodes shows."""
    if not manifests:
        raise AbsentError
    nodes = lineage_nodes(manifests)
    return render_fragment(
        "lineage_section.html.j2",
        nodes=nodes,
        edges=lineage_edges(nodes),
        width=WIDTH,
        height=len(nodes) * ROW,
        left=LEFT,
        box=BOX,
    )


def lineage_nodes(manifests: Mapping[str, Manifest]) -> list[Node]:
    """Every artifact behind what it was made from; also those that are named as inputs only."""
    keys = {stage: one.key for stage, one in manifests.items()}
    for one in manifests.values():
        keys = {**one.inputs, **keys}
    order: list[str] = []

    def visit(stage: str, above: tuple[str, ...]) -> None:
        if stage in order or stage in above:
            return
        read = manifests[stage].inputs if stage in manifests else {}
        for source in sorted(read, key=[*keys].index):
            visit(source, (*above, stage))
        order.append(stage)

    for stage in manifests:
        visit(stage, ())
    return [
        Node(stage, keys[stage], manifests.get(stage), number * ROW + (ROW - BOX) // 2)
        for number, stage in enumerate(order)
    ]


def lineage_edges(nodes: list[Node]) -> list[Edge]:
    """From each artifact down to those that read it: straight to the next, else in an arc."""
    at = {node.stage: number for number, node in enumerate(nodes)}
    edges = []
    for number, node in enumerate(nodes):
        for source in node.manifest.inputs if node.manifest else {}:
            before = nodes[at[source]]
            if at[source] == number - 1:
                x = LEFT + 30
                path = f"M{x} {before.top + BOX}V{node.top - 4}"
                head = f"M{x} {node.top}l-4 -6h8z"
            else:
                start, end = f"{before.middle:g}", f"{node.middle:g}"
                bend = LEFT - min(14 + 9 * (number - at[source]), LEFT - 4)
                path = f"M{LEFT} {start}C{bend} {start} {bend} {end} {LEFT} {end}"
                head = f"M{LEFT} {end}l-6 -4v8z"
            edges.append(Edge(source, node.stage, path, head))
    return edges
