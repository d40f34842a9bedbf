"""The report's section on texts: how much of what is right does verification reject?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from evals.acceptance import RANKS, PositionBin, RankBin, TextStatistics
from evals.statistics import Estimate
from evals.text_examples import TextExample, TextToken
from pipelines.report.acceptance import AcceptanceMaterial
from pipelines.report.bars import length_bars
from pipelines.report.cards import Card
from pipelines.report.charts import Axis, Chart, Series, line_chart
from pipelines.report.token_text import Mark
from pipelines.report.wording import percent, with_error

MOST_LINES = 8
"""Texts that have a line of their own; more are in ``summary.json``."""
_FEWEST_TOKENS = 50
"""Groups of positions with fewer tokens are noise, and left out of the picture."""

LEGEND = (
    ("both", "accepted"),
    ("judge", "rejected, won back by the judge"),
    ("standard", "accepted, though the judge would not"),
    ("target", "rejected"),
    ("mistake", "a mistake"),
)


@dataclass(frozen=True)
class TextRow:
    """One text in the two tables, in words; empty where nothing is known."""

    name: str
    description: str
    tokens: str
    accepted: str
    judged: str
    sampled: str
    run: str
    judged_run: str
    kept: str
    judged_kept: str
    rejected: str
    rejected_correct: str
    correct_rejected: str
    rescued: str
    mistakes: str


@dataclass(frozen=True)
class TextView:
    """One answer of a text, token by token."""

    title: str
    prompt: str
    marks: list[Mark]
    cut: int
    counts: str


@dataclass(frozen=True)
class AcceptanceSection:
    """What the template needs."""

    lead: str
    rows: list[TextRow]
    judged: bool
    labelled: bool
    draft_length: int
    note: str
    cards: list[Card]
    answers: list[TextView]
    legend: list[tuple[str, str]]


def acceptance_section(material: AcceptanceMaterial) -> AcceptanceSection:
    """The section of a run that has offered texts to its target."""
    return AcceptanceSection(
        lead=lead(material),
        rows=[text_row(material, name) for name in material.texts],
        judged=material.threshold is not None,
        labelled=material.labelled,
        draft_length=material.identity.draft_length,
        note=_note(material),
        cards=_cards(material),
        answers=[_view(example, material) for example in material.examples],
        legend=[(style, meaning) for style, meaning in LEGEND if _shown(style, material)],
    )


def lead(material: AcceptanceMaterial) -> str:
    """What was measured, in two sentences."""
    count = len(material.texts)
    judge = (
        ""
        if material.threshold is None
        else (
            f" A judge (layer {material.layer}, threshold {material.threshold:.2f}) gave its"
            " verdict on the same pass."
        )
    )
    return (
        f"{'A text was' if count == 1 else f'{count} texts were'} read by the target as if a draft"
        f" had proposed {'it' if count == 1 else 'them'}, every token behind the text's own tokens."
        " The standard rule"
        f" accepts a token that is the target's own first choice.{judge} ± is a standard error over"
        " prompts."
    )


def text_row(material: AcceptanceMaterial, name: str) -> TextRow:
    """One text's numbers, for the page's tables and the terminal's."""
    text = material.texts[name]
    judge = text.judge
    return TextRow(
        name=name,
        description=material.identity.texts[name],
        tokens=f"{text.tokens:,}",
        accepted=share(text.standard.acceptance),
        judged=share(judge.acceptance) if judge else "",
        sampled=share(text.sampled),
        run=mean(text.standard.run),
        judged_run=mean(judge.run) if judge else "",
        kept=mean(text.standard.accepted_per_cycle),
        judged_kept=mean(judge.accepted_per_cycle) if judge else "",
        rejected=f"{text.rejected:,}",
        rejected_correct=share(text.rejected_correct),
        correct_rejected=share(text.correct_rejected),
        rescued=share(text.rescued),
        mistakes=mistakes(text),
    )


def share(estimate: Estimate | None) -> str:
    """A share with its standard error; a dash where it is not known."""
    return "–" if estimate is None else with_error(estimate.value, estimate.stderr)


def mean(estimate: Estimate) -> str:
    """A mean number of tokens with its standard error."""
    return f"{estimate.value:.2f} ± {estimate.stderr:.2f}"


def mistakes(text: TextStatistics) -> str:
    """How many tokens of mistakes pass, of how many; a dash where there are none."""
    kept = sum(rank.kept_mistakes for rank in text.by_rank)
    return f"{kept} of {text.mistakes}" if text.mistakes else "–"


def _note(material: AcceptanceMaterial) -> str:
    cycle = (
        "Run: tokens accepted between two rejections."
        f" Kept of {material.identity.draft_length}: the text is offered"
        f" {material.identity.draft_length} tokens at a time, and after each the target adds one,"
        " in whose place the text's own stands."
    )
    if not material.labelled:
        return f"{cycle} Nobody has said which tokens are correct."
    return (
        f"{cycle} The annotator {material.identity.annotator} has said which tokens are correct:"
        " those in front of the first mistake; what follows it is unknown, and counts in the shares"
        " of all tokens only."
    )


def _cards(material: AcceptanceMaterial) -> list[Card]:
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


def _shown(style: str, material: AcceptanceMaterial) -> bool:
    """Only what can occur stands in the legend."""
    if style in ("judge", "standard"):
        return material.threshold is not None
    return style != "mistake" or material.labelled


def _view(example: TextExample, material: AcceptanceMaterial) -> TextView:
    accepted = sum(token.fate in ("both", "standard") for token in example.tokens)
    judged = sum(token.fate == "judge" for token in example.tokens)
    rejected = len(example.tokens) - accepted - judged
    parts = [f"{accepted} of {len(example.tokens)} tokens accepted"]
    if material.threshold is not None:
        parts.append(f"{judged} won back by the judge")
    parts.append(f"{rejected} rejected")
    return TextView(
        title=f"{example.text}: {material.identity.texts[example.text]}",
        prompt=example.prompt,
        marks=[_mark(token) for token in example.tokens],
        cut=example.cut,
        counts=", ".join(parts),
    )


def _mark(token: TextToken) -> Mark:
    style = "target" if token.fate == "rejected" else token.fate
    if token.correct is False:
        style += " mistake"
    return Mark.of(token.text, style, _tip(token))


def _tip(token: TextToken) -> str:
    known = {True: "correct", False: "a mistake", None: ""}[token.correct]
    judge = "" if token.judge is None else f"judge {token.judge:.2f}"
    parts = (f"the target's number {token.rank}", f"p {percent(token.probability)}", judge, known)
    return "; ".join(part for part in parts if part)
