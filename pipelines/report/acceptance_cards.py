"""The pictures of the section on texts: acceptance by place and by rank, and accepted runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from evals.acceptance import RANKS, PositionBin, RankBin, TextStatistics
from evals.statistics import Estimate
from pipelines.report.acceptance import AcceptanceMaterial
from pipelines.report.bars import length_bars
from pipelines.report.cards import Card
from pipelines.report.charts import Axis, Chart, Series, line_chart

MOST_LINES = 8
"""Texts that have a line of their own; more are in ``summary.json``."""
_FEWEST_TOKENS = 50
"""Groups of positions with fewer tokens are noise, and left out of the picture."""


def acceptance_cards(material: AcceptanceMaterial) -> list[Card]:
    """By place, by rank, and of the main text the lengths of accepted runs."""
    cards = [_position_card(material)]
    if material.threshold is not None:
        cards.append(_judged_position_card(material))
    cards.append(_rank_card(material))
    if material.labelled:
        cards.append(_correct_card(material))
    name = material.main
    text = material.texts[name]
    longest = max(max(rule.runs) for rule in (text.standard, text.judge) if rule)
    for rule, title, style in (
        (text.standard, "standard rule", "exact"),
        (text.judge, "standard rule or judge", "judge"),
    ):
        if rule is None:
            continue
        chart = length_bars(
            f"Lengths of accepted runs in {name}: {title}",
            rule.runs,
            style,
            rule.run.value,
            longest=longest,
            of="runs",
            axis="tokens accepted in a row",
        )
        caption = f"{name}: shares of runs by length, what would be kept between two rejections."
        cards.append(Card(f"Accepted runs, {title}", caption, chart))
    return cards


def _position_card(material: AcceptanceMaterial) -> Card:
    lines = [
        Series(name, style, _by_place(text, lambda one: one.standard))
        for style, name, text in _pictured(material)
    ]
    return _place_card(
        "By place in the answer",
        "Share of tokens that the standard rule accepts, in groups of neighbouring places.",
        lines,
    )


def _judged_position_card(material: AcceptanceMaterial) -> Card:
    text = material.texts[material.main]
    lines = [
        Series("standard rule", "exact", _by_place(text, lambda one: one.standard)),
        Series("standard rule or judge", "judge", _by_place(text, lambda one: one.judge)),
    ]
    return _place_card(
        "By place, with the judge", f"{material.main}: share of accepted tokens.", lines
    )


def _by_place(
    text: TextStatistics, rule: Callable[[PositionBin], Estimate | None]
) -> list[tuple[float, float]]:
    bins = [one for one in text.by_position if one.tokens >= _FEWEST_TOKENS] or text.by_position
    shares = [((one.first + one.last) / 2, rule(one)) for one in bins]
    return [(place, estimate.value) for place, estimate in shares if estimate is not None]


def _place_card(title: str, caption: str, lines: list[Series]) -> Card:
    end = max(x for line in lines for x, _ in line.points)
    low = _floor(y for line in lines for _, y in line.points)
    chart = line_chart(
        caption,
        lines,
        Axis("place in the answer", 0.0, end * 1.03),
        Axis("", low, 1.0, "percent"),
        dots=len(lines) <= 2,
    )
    return Card(title, caption, chart, [(line.style, line.name) for line in lines])


def _rank_card(material: AcceptanceMaterial) -> Card:
    lines = [
        Series(name, style, _cumulative([one.tokens for one in text.by_rank]))
        for style, name, text in _pictured(material)
    ]
    return Card(
        "By rank",
        "Share of tokens among the target's first choice, its first two, three, ten.",
        _rank_chart("Share of tokens by their rank under the target", lines),
        [(line.style, line.name) for line in lines],
    )


def _correct_card(material: AcceptanceMaterial) -> Card:
    ranks = [text.by_rank for text in material.texts.values()]
    lines = [
        Series(name, style, _cumulative(counts))
        for name, style, counts in (
            ("correct tokens", "judge", _sum(ranks, "correct")),
            ("mistakes", "target", _sum(ranks, "mistakes")),
        )
        if sum(counts)
    ]
    return Card(
        "Correct and wrong, by rank",
        "All texts together. A rule that accepts the first two, three, ten keeps so much of each.",
        _rank_chart("Share of correct tokens and of mistakes by rank", lines),
        [(line.style, line.name) for line in lines],
    )


def _rank_chart(title: str, lines: Sequence[Series]) -> Chart:
    low = _floor(y for line in lines for _, y in line.points)
    ticks = [(float(place), label) for place, label in enumerate(("1", "2", "3", "10", "all"))]
    return line_chart(
        title,
        lines,
        Axis("rank at most", -0.2, len(RANKS) - 0.8, ticks=ticks),
        Axis("", low, 1.0, "percent"),
        dots=True,
    )


def _cumulative(counts: Sequence[int]) -> list[tuple[float, float]]:
    total = sum(counts) or 1
    return [(float(place), sum(counts[: place + 1]) / total) for place in range(len(counts))]


def _sum(ranks: Sequence[Sequence[RankBin]], name: str) -> list[int]:
    return [sum(getattr(of_text[group], name) for of_text in ranks) for group in range(len(RANKS))]


def _pictured(material: AcceptanceMaterial) -> list[tuple[str, str, TextStatistics]]:
    """Style, name and statistics of the texts that have a line."""
    texts = list(material.texts.items())[:MOST_LINES]
    return [(f"text-{number}", name, text) for number, (name, text) in enumerate(texts, start=1)]


def _floor(values: Iterable[float]) -> float:
    """Where a share axis begins: at a round tenth below the lowest share."""
    return max(0.0, (int(min(values) * 10) - 0.5) / 10)
