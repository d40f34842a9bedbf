"""The report as one HTML file: readable anywhere, in light and dark, without any request."""

from __future__ import annotations

from evals.decoders import HEADLINE, is_speculative
from pipelines.report import promise, quality, wording
from pipelines.report.acceptance import AcceptanceMaterial
from pipelines.report.acceptance_section import acceptance_section
from pipelines.report.cards import BlockRow, Card, style_of
from pipelines.report.charts import Axis, Series, histogram, line_chart
from pipelines.report.material import Material
from pipelines.report.mt_bench import MTBenchMaterial, mt_bench_section
from pipelines.report.page import provenance, render_page, styles
from pipelines.report.rules import rules_section
from pipelines.report.safety import SafetyMaterial, safety_section
from pipelines.report.scripts import CHARTS, page_scripts
from pipelines.report.token_view import LEGEND, show_answer

SHORT_NAMES = {"target": "Target", "draft": "Draft", "exact": "Standard", "judge": "Judge"}

MOST_PICTURES = 6
"""Up to so many decoders each have a histogram; of more, the two of the headline do."""


def render_html(
    material: Material,
    acceptance: AcceptanceMaterial | None = None,
    safety: SafetyMaterial | None = None,
    mt_bench: MTBenchMaterial | None = None,
) -> str:
    """The whole page. Everything that a model or a prompt wrote is escaped."""
    rows = material.headline
    blocks = _blocks(material)
    return render_page(
        "report.html.j2",
        scripts=page_scripts(CHARTS),
        css=styles("report.css", *(["acceptance.css"] if acceptance or safety else [])),
        acceptance=acceptance_section(acceptance) if acceptance else None,
        safety=safety_section(safety) if safety else None,
        mt_bench=mt_bench_section(mt_bench, material.identity.name_of) if mt_bench else None,
        identity=material.identity,
        prompts=rows["target"].prompts,
        proposals=material.identity.proposals,
        sentence=wording.verdict_sentence(material),
        findings=wording.findings(material),
        blocks=blocks,
        blocks_label="; ".join(
            f"{row.name}: {row.kept:.1f} of {len(row.parts)} kept" for row in blocks
        ),
        rows=rows,
        speed=material.speed,
        sources=wording.sources(material),
        speed_note=wording.speed_note(material),
        names={name: material.identity.name_of(name) for name in rows},
        short_names={name: SHORT_NAMES.get(name, name) for name in rows},
        row_styles={name: style_of(name) for name in rows},
        speculative=[name for name in rows if is_speculative(name)],
        rules=rules_section(material),
        agreement=wording.agreement(material),
        slow_note=wording.draft_cost(material),
        stand_in_note=wording.stand_in_note(material),
        tasks=material.results,
        paired_rows=quality.paired_rows(material),
        gate_lines=quality.gate_lines(material),
        gate_passed=bool(material.gate and material.gate["passed"]),
        families=material.families if set(HEADLINE) <= rows.keys() else {},
        points=wording.points,
        judge_sentence=wording.judge_sentence(material),
        promise=promise.promise(material),
        beside_plain=promise.beside_plain(material),
        certificate=material.certificate,
        shift_warnings=promise.shift_warnings(material),
        shift_note=promise.shift_note(material),
        cycle_cards=_histograms(material),
        judge_cards=[_layer_curve(material), _operating_curve(material)],
        answers=[show_answer(example) for example in material.examples],
        legend=LEGEND,
        **provenance(material.manifests, "decode", _commands(material)),
    )


def _blocks(material: Material) -> list[BlockRow]:
    return [
        BlockRow.of(
            material.identity.name_of(name),
            style_of(name),
            material.headline[name].accepted_per_cycle,
            material.identity.draft_length,
        )
        for name in _pictured(material)
    ]


def _pictured(material: Material) -> list[str]:
    names = [name for name in material.headline if is_speculative(name)]
    return names if len(names) <= MOST_PICTURES else [n for n in names if n in HEADLINE]


def _histograms(material: Material) -> list[Card]:
    captions = {
        "exact": "A cycle ends at the first word that the target would have put otherwise.",
        "judge": "Correct rewordings pass; a cycle ends at mistakes and doubts.",
    }
    histograms = {name: material.histograms[name] for name in _pictured(material)}
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


def _layer_curve(material: Material) -> Card:
    layers = sorted(material.layers, key=lambda row: row["layer"])
    numbers = [row["layer"] for row in layers]
    values = [row[name] for row in layers for name in ("auroc", "average_precision")]
    low = max(0.0, min(values) - 0.05)
    chosen = material.head["layer"]
    chart = line_chart(
        "Validation AUROC and average precision per layer",
        [
            Series("AUROC", "judge", [(row["layer"], row["auroc"]) for row in layers]),
            Series(
                "average precision on mistakes",
                "exact",
                [(row["layer"], row["average_precision"]) for row in layers],
            ),
        ],
        Axis("layer", min(numbers) - 0.3, max(numbers) + 0.3, "whole"),
        Axis("", low, 1.0, "percent"),
        mark=(chosen, f"layer {chosen}"),
        dots=True,
    )
    return Card(
        "Which layer knows",
        "One head per layer of the target, trained side by side; measured on validation prompts."
        if len(layers) > 1
        else "This head is trained once, and stands at the last layer that it reads; measured on"
        " validation prompts.",
        chart,
        [("judge", "AUROC"), ("exact", "average precision on mistakes")],
    )


def _operating_curve(material: Material) -> Card:
    threshold = material.head["threshold"]
    curve = material.curve
    chart = line_chart(
        "What each threshold rejects and keeps",
        [
            Series("mistakes rejected", "target", [(r["threshold"], r["recall"]) for r in curve]),
            Series("correct tokens kept", "judge", [(r["threshold"], r["kept"]) for r in curve]),
        ],
        Axis("threshold", 0.0, 1.0),
        Axis("", 0.0, 1.0, "percent"),
        mark=(threshold, f"chosen {threshold:.2f}"),
    )
    return Card(
        "Where to put the threshold",
        "On calibration prompts, which neither training nor the choice of the layer has seen.",
        chart,
        [("target", "mistakes rejected"), ("judge", "correct tokens kept")],
    )


def _commands(material: Material) -> str:
    key = material.manifests["calibrate"].key
    return "\n".join(
        (
            f"python -m pipelines.run +exp={material.identity.exp}   # the same run again",
            f"python -m pipelines.artifacts lineage {key[:12]}   # what the judge was made from",
            f"python -m pipelines.artifacts show {key[:12]}   # where its folder judge/ is",
        )
    )
