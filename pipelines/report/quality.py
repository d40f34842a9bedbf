"""Quality, task by task: what each decoder scored, what turned, and what the gate says."""

from __future__ import annotations

from dataclasses import dataclass

from rich import box
from rich.table import Table

from evals.decoders import DECODERS, is_speculative
from evals.paired import MCNEMAR, PairedComparison
from pipelines.report.cards import style_of
from pipelines.report.material import Material
from pipelines.report.wording import points, with_error

_SMALLEST_P = 0.001


@dataclass(frozen=True)
class PairedRow:
    """One decoder against the target alone on one task, in words.

    ``lost``: the interval lies below nothing.
    """

    task: str
    decoder: str
    name: str
    documents: int
    difference: str
    interval: str
    turned_wrong: int
    turned_right: int
    p_value: str
    test: str
    lost: bool

    @property
    def style(self) -> str:
        """The CSS class of its row."""
        return style_of(self.decoder)


def paired_rows(material: Material) -> list[PairedRow]:
    """The speculative decoders, task by task; the draft alone is no claim of anybody's."""
    return [
        _row(material, task, decoder, found)
        for task, by_decoder in material.paired.items()
        for decoder, found in by_decoder.items()
        if is_speculative(decoder)
    ]


def gate_lines(material: Material) -> list[str]:
    """What the gate says, and a warning where lossless decoding was not."""
    gate = material.gate
    if gate is None:
        return [
            f"{task}: standard speculative decoding does not score as the target does on"
            f" {found.turned_wrong + found.turned_right} of {found.n} documents"
            for task, by_decoder in material.paired.items()
            if (found := by_decoder.get("exact")) is not None
            and found.turned_wrong + found.turned_right
            and material.identity.temperature == 0
        ]
    if gate["passed"]:
        names = ", ".join(gate["decoders"])
        return [
            f"The gate lets {names} pass: on every task the lower bound of the difference to the"
            f" target alone is above {-100 * gate['tolerance']:g} points."
        ]
    return [f"Refused by the gate. {line}." for line in gate["refused"]]


def p_value_text(value: float) -> str:
    """A p-value to as many digits as mean something."""
    return f"< {_SMALLEST_P}" if value < _SMALLEST_P else f"{value:.3f}"


def quality_table(material: Material) -> Table:
    """Scores with standard errors, for the terminal."""
    table = Table(title="lm-eval tasks", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("task")
    # More have no room in a terminal; the page and summary.json have them all.
    names = [name for name in material.headline if name in DECODERS]
    for name in names:
        table.add_column(name, justify="right")
    table.add_column("documents", justify="right")
    for task, results in material.results.items():
        cells = [with_error(results[name]["value"], results[name]["stderr"]) for name in names]
        table.add_row(task, *cells, str(results["target"]["n"]))
    return table


def paired_table(material: Material) -> Table:
    """What turned against the target alone, for the terminal."""
    rows = [row for row in paired_rows(material) if row.decoder in DECODERS]
    confidence = _confidence(material)
    table = Table(
        title=f"against the target alone, document by document ({confidence:.0%} intervals)",
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    for name, side in (
        ("task", "left"), ("decoder", "left"), ("difference", "right"), ("interval", "right"),
        ("turned wrong", "right"), ("turned right", "right"), ("p", "right"),
    ):  # fmt: skip
        table.add_column(name, justify="right" if side == "right" else "left")
    for row in rows:
        turned = str(row.turned_wrong), str(row.turned_right)
        table.add_row(row.task, row.decoder, row.difference, row.interval, *turned, row.p_value)
    return table


def _confidence(material: Material) -> float:
    found = [one for rows in material.paired.values() for one in rows.values()]
    return found[0].confidence if found else 0.95


def _row(material: Material, task: str, decoder: str, found: PairedComparison) -> PairedRow:
    low, high = points(found.low), points(found.high)
    return PairedRow(
        task=task,
        decoder=decoder,
        name=material.identity.name_of(decoder),
        documents=found.n,
        difference=points(found.value),
        interval=f"{low} to {high}",
        turned_wrong=found.turned_wrong,
        turned_right=found.turned_right,
        p_value=p_value_text(found.p_value),
        test="McNemar" if found.method == MCNEMAR else "bootstrap",
        lost=found.high < 0,
    )
