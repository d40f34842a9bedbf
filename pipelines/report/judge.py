"""The report's sections on the judge: which layer knows, where its threshold is, what that
promises."""

from __future__ import annotations

from markupsafe import Markup

from pipelines.report import promise, wording
from pipelines.report.cards import Card
from pipelines.report.charts import Axis, Series, line_chart
from pipelines.report.faults import AbsentError
from pipelines.report.material import Material
from pipelines.report.page import render_fragment


def judge_section(material: Material) -> Markup:
    """The judge in a sentence, and how well each layer's head tells mistakes apart."""
    if not material.layers or not material.head:
        raise AbsentError
    return render_fragment(
        "judge_section.html.j2",
        sentence=wording.judge_sentence(material),
        cards=[_layer_curve(material)],
    )


def threshold_section(material: Material) -> Markup:
    """The operating curve with the chosen threshold, and its certificate."""
    if not material.curve or not material.head:
        raise AbsentError
    return render_fragment(
        "threshold_section.html.j2",
        promise=promise.promise(material),
        beside_plain=promise.beside_plain(material),
        certificate=material.certificate,
        warnings=promise.shift_warnings(material),
        note=promise.shift_note(material),
        cards=[_operating_curve(material)],
    )


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
