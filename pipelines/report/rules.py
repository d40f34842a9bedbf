"""The report's section on acceptance rules: two pictures and a table per family of prompts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evals.pareto import RulePoint
from pipelines.report.cards import Card
from pipelines.report.charts import Axis, Chart
from pipelines.report.material import Material
from pipelines.report.scatter import Dot, scatter_chart

KEY = [("exact", "standard rule"), ("judge", "with a judge"), ("rule", "training-free")]


@dataclass(frozen=True)
class RuleRow:
    """One rule in the table; the pictures name a rule on one of the fronts by its ``number``."""

    point: RulePoint
    style: str
    number: int | None
    fronts: str


@dataclass(frozen=True)
class RuleTable:
    """All rules on one family's prompts, the one that keeps most first."""

    family: str
    prompts: int
    rows: list[RuleRow]


@dataclass(frozen=True)
class RulesSection:
    """What the template needs."""

    lead: str
    cards: list[Card]
    tables: list[RuleTable]


def rules_section(material: Material) -> RulesSection | None:
    """The section; None for a run whose decoders are all of the headline."""
    if not material.pareto:
        return None
    tables = [_table(family, points) for family, points in material.pareto.items()]
    home = tables[0]
    lead = (
        f"Every rule answered the same {home.prompts} {home.family} prompts. A rule is on the front"
        " (numbered in the pictures) when no other one is as good in both and better in one; bars"
        " are 95 % intervals of the share of right answers, ± a standard error over prompts."
    )
    cards = [
        _card(
            "Quality against tokens kept",
            "What a cycle keeps, and what the answers are worth. Up and to the right is better.",
            _kept_chart(material),
        ),
        _card(
            "Quality against speed",
            "Tokens per second of this pair on this machine; a larger target gains more.",
            _speed_chart(material),
        ),
    ]
    return RulesSection(lead, cards, tables)


def pareto_picture(material: Material) -> str:
    """The first picture as an SVG file of its own."""
    return _kept_chart(material).picture()


def _card(title: str, caption: str, chart: Chart) -> Card:
    return Card(title, caption, chart, KEY)


def _table(family: str, points: Sequence[RulePoint]) -> RuleTable:
    numbers = _numbers(points)
    return RuleTable(
        family,
        points[0].prompts,
        [
            RuleRow(point, _style(point), numbers.get(point.decoder), _fronts(point))
            for point in points
        ],
    )


def _fronts(point: RulePoint) -> str:
    on = (("kept", point.on_front), ("speed", point.on_speed_front))
    return ", ".join(name for name, is_on in on if is_on)


def _style(point: RulePoint) -> str:
    if point.judged:
        return "judge"
    return "exact" if point.decoder == "exact" else "rule"


def _numbers(points: Sequence[RulePoint]) -> dict[str, int]:
    front = [point.decoder for point in points if point.on_front or point.on_speed_front]
    return {decoder: number for number, decoder in enumerate(front, start=1)}


def _kept_chart(material: Material) -> Chart:
    return _chart(
        material,
        "Right answers against accepted draft tokens per cycle",
        "draft tokens accepted in a cycle",
        lambda point: point.accepted_per_cycle,
        lambda point: point.on_front,
    )


def _speed_chart(material: Material) -> Chart:
    return _chart(
        material,
        "Right answers against tokens per second",
        "tokens per second",
        lambda point: point.tokens_per_second,
        lambda point: point.on_speed_front,
    )


def _chart(
    material: Material,
    title: str,
    axis: str,
    value: Callable[[RulePoint], float],
    on: Callable[[RulePoint], bool],
) -> Chart:
    points = next(iter(material.pareto.values()))
    numbers = _numbers(points)
    dots = [
        Dot(
            _style(point),
            value(point),
            point.right,
            point.right_low,
            point.right_high,
            point.rule,
            numbers[point.decoder] if on(point) else None,
        )
        for point in points
    ]
    levels = [
        (material.headline[name].right, f"{name} alone")
        for name in ("target", "draft")
        if name in material.headline
    ]
    most = max(dot.x for dot in dots) * 1.06
    least = min([*(dot.low for dot in dots), *(level for level, _ in levels)])
    low = max(0.0, least - 0.03)
    return scatter_chart(
        title,
        dots,
        Axis(axis, 0.0, most),
        Axis("right answers", low, 1.0, "percent"),
        levels,
    )
