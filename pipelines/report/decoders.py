"""The report's first sections: the verdict, the decoders side by side, and cycle by cycle."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from evals.decoders import HEADLINE, is_speculative
from evals.speed import DecoderStatistics
from evals.statistics import Estimate
from pipelines.report import wording
from pipelines.report.cards import BlockRow, Card, style_of
from pipelines.report.charts import histogram
from pipelines.report.faults import AbsentError
from pipelines.report.material import Material
from pipelines.report.page import render_fragment
from pipelines.report.summary import right_interval

_SHORT_NAMES = {"target": "Target", "draft": "Draft", "exact": "Standard", "judge": "Judge"}

MOST_PICTURES = 6
"""Up to so many decoders each have a histogram; of more, the two of the headline do."""


@dataclass(frozen=True)
class DecoderRow:
    """One decoder in the headline's table: its own numbers, and its speed, a stand-in's perhaps."""

    decoder: str
    name: str
    short: str
    style: str
    speculative: bool
    own: DecoderStatistics
    speedup: float
    tokens_per_second: float
    low: float
    high: float
    change: Estimate | None


def short_name(decoder: str) -> str:
    """A decoder's name where there is little room."""
    return _SHORT_NAMES.get(decoder, decoder)


def verdict_section(material: Material) -> Markup:
    """What was gained, at what cost and with what promise, in a sentence and in large numbers."""
    blocks = _blocks(material)
    rows = material.headline
    return render_fragment(
        "verdict_section.html.j2",
        identity=material.identity,
        speed=material.speed,
        prompts=rows["target"].prompts if "target" in rows else None,
        proposals=material.identity.proposals,
        sentence=wording.verdict_sentence(material),
        findings=wording.findings(material),
        blocks=blocks,
        blocks_label="; ".join(
            f"{row.name}: {row.kept:.1f} of {len(row.parts)} kept" for row in blocks
        ),
    )


def decoders_section(material: Material) -> Markup:
    """The headline's table."""
    rows = material.headline
    if not rows:
        raise AbsentError
    notes = (wording.speed_note(material), wording.draft_cost(material))
    return render_fragment(
        "decoders_section.html.j2",
        prompts=rows["target"].prompts,
        family=material.identity.headline,
        rows=[_row(material, name) for name in rows],
        speed=material.speed,
        agreement=wording.agreement(material),
        caption=wording.stand_in_note(material) or wording.sources(material),
        notes=[note for note in notes if note],
        points=wording.points,
    )


def cycles_section(material: Material) -> Markup | None:
    """How many tokens the cycles kept; None for decoders that have no cycles."""
    if not material.histograms:
        if not material.headline:
            raise AbsentError
        return None
    return render_fragment(
        "cycles_section.html.j2",
        proposals=material.identity.proposals,
        families=material.families if set(HEADLINE) <= material.headline.keys() else {},
        cards=_histograms(material),
    )


def _row(material: Material, name: str) -> DecoderRow:
    own = material.headline[name]
    timed = material.speed.rows[name]
    low, high = right_interval(own)
    return DecoderRow(
        decoder=name,
        name=material.identity.name_of(name),
        short=short_name(name),
        style=style_of(name),
        speculative=is_speculative(name),
        own=own,
        speedup=timed.speedup,
        tokens_per_second=timed.tokens_per_second,
        low=low,
        high=high,
        change=material.changes[material.identity.headline].get(name),
    )


def _blocks(material: Material) -> list[BlockRow]:
    return [
        BlockRow.of(
            material.identity.name_of(name),
            style_of(name),
            material.headline[name].accepted_per_cycle,
            material.identity.draft_length,
        )
        for name in pictured(material)
    ]


def pictured(material: Material) -> list[str]:
    """The speculative decoders that have pictures of their own."""
    names = [name for name in material.headline if is_speculative(name)]
    return names if len(names) <= MOST_PICTURES else [n for n in names if n in HEADLINE]


def _histograms(material: Material) -> list[Card]:
    captions = {
        "exact": "A cycle ends at the first word that the target would have put otherwise.",
        "judge": "Correct rewordings pass; a cycle ends at mistakes and doubts.",
    }
    histograms = {name: material.histograms[name] for name in pictured(material)}
    shares = [count / (sum(counts) or 1) for counts in histograms.values() for count in counts]
    peak = max([*shares, 0.01]) * 1.08
    return [
        Card(
            material.identity.name_of(name),
            captions.get(name, "A cycle ends at the first token that the rule rejects."),
            histogram(
                f"Accepted draft tokens per cycle: {material.identity.name_of(name)}",
                counts,
                style_of(name),
                material.headline[name].accepted_per_cycle,
                peak,
            ),
        )
        for name, counts in histograms.items()
    ]
