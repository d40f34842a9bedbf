"""The report as one HTML file: readable anywhere, in light and dark, without any request.

Its sections are independent of one another: what is missing costs its own section alone, and the
page says so at its top.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from markupsafe import Markup

from pipelines.report import quality
from pipelines.report.acceptance import AcceptanceMaterial
from pipelines.report.acceptance_section import acceptance_section
from pipelines.report.court_section import court_section
from pipelines.report.cycle_time import cycle_section
from pipelines.report.decoders import (
    cycles_section,
    decoders_section,
    pictured,
    short_name,
    verdict_section,
)
from pipelines.report.faults import AbsentError, Faults
from pipelines.report.judge import judge_section, threshold_section
from pipelines.report.lineage import lineage_section
from pipelines.report.material import Material
from pipelines.report.mt_bench import MTBenchMaterial, mt_bench_section
from pipelines.report.origin import origin_section
from pipelines.report.page import render_fragment, render_page, styles
from pipelines.report.rules import rules_section
from pipelines.report.safety import SafetyMaterial, safety_section
from pipelines.report.scripts import CHARTS, LINEAGE, page_scripts
from pipelines.report.token_view import SCRIPT, token_view
from pipelines.report.wording import footer, points

Section = Callable[[], Markup | None]
"""Renders a section; None where the run has none of its kind. Raises ``AbsentError``: it has one,
and what it is made of is missing."""


def render_html(
    material: Material,
    acceptance: AcceptanceMaterial | None = None,
    safety: SafetyMaterial | None = None,
    mt_bench: MTBenchMaterial | None = None,
    faults: Faults | None = None,
) -> str:
    """The whole page. Everything that a model or a prompt wrote is escaped.

    Args:
        faults: What is already known to be missing; without it, whatever is missing is raised.
    """
    faults = faults or Faults(strict=True)
    sections: Mapping[str, Section] = {
        "The verdict": lambda: verdict_section(material),
        "The decoders side by side": lambda: decoders_section(material),
        "Answers, token by token": lambda: _token_view(material),
        "Cycle by cycle": lambda: cycles_section(material),
        "Where the time of a cycle goes": lambda: _cycle_time(material),
        "Acceptance rules": lambda: _rules(material),
        "Quality, task by task": lambda: _quality(material),
        "MT-Bench": lambda: _mt_bench(mt_bench, material),
        "Texts": lambda: _acceptance(acceptance),
        "Safety": lambda: _safety(safety),
        "Inside the judge": lambda: judge_section(material),
        "The threshold and what it promises": lambda: threshold_section(material),
        "The court": lambda: court_section(material.court),
        "Where this comes from": lambda: lineage_section(material.lineage),
        "How it was made": lambda: origin_section(material.manifests, material.identity.exp),
    }
    parts = [faults.shown(title, render) for title, render in sections.items()]
    return render_page(
        "report.html.j2",
        scripts=page_scripts(CHARTS, SCRIPT, LINEAGE),
        css=styles(
            "report.css", "token_view.css", *(["acceptance.css"] if acceptance or safety else [])
        ),
        identity=material.identity,
        missing=faults.lines,
        footer=footer(material.identity),
        parts=[part for part in parts if part is not None],
    )


def _token_view(material: Material) -> Markup | None:
    if not material.examples:
        if not material.results:
            raise AbsentError
        return None
    identity = material.identity
    view = token_view(material.examples, material.answers, identity.headline, identity.temperature)
    return render_fragment("token_view.html.j2", token_view=view)


def _cycle_time(material: Material) -> Markup | None:
    names = pictured(material)
    if not names:
        if not material.headline:
            raise AbsentError
        return None
    return render_fragment(
        "cycle_time.html.j2",
        stand_in=bool(material.speed.stand_in),
        cycle_time=cycle_section(material, names),
    )


def _rules(material: Material) -> Markup | None:
    section = rules_section(material)
    if section is None:
        return None
    return render_fragment("rules_section.html.j2", rules=section, points=points)


def _quality(material: Material) -> Markup | None:
    if not material.results:
        if "evaluate" in material.manifests and material.headline:
            return None
        raise AbsentError
    known = next(iter(material.results.values()))
    # The headline has them in the order of the configuration; the file has them by name.
    names = [name for name in material.headline if name in known] or list(known)
    return render_fragment(
        "quality_section.html.j2",
        names=names,
        short_names={name: short_name(name) for name in names},
        tasks=material.results,
        paired_rows=quality.paired_rows(material),
        gate_lines=quality.gate_lines(material),
        gate_passed=bool(material.gate and material.gate["passed"]),
    )


def _mt_bench(bench: MTBenchMaterial | None, material: Material) -> Markup | None:
    if bench is None:
        return None
    section = mt_bench_section(bench, material.identity.name_of)
    return render_fragment("mt_bench_section.html.j2", mt_bench=section)


def _acceptance(texts: AcceptanceMaterial | None) -> Markup | None:
    if texts is None:
        return None
    return render_fragment("acceptance_section.html.j2", acceptance=acceptance_section(texts))


def _safety(flagged: SafetyMaterial | None) -> Markup | None:
    if flagged is None:
        return None
    return render_fragment("safety_section.html.j2", safety=safety_section(flagged))
