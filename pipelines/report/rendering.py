"""A run's report from the folders of its artifacts: the files that people read, and the summary.

``settings`` are those of the stage report, which are all that a report takes from a configuration;
an artifact of that stage has them in its manifest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judge_lightning.decoding.draft_length import AUTO
from pipelines.manifest import read_lineage
from pipelines.report.acceptance import (
    AcceptanceIdentity,
    AcceptanceMaterial,
    read_acceptance,
    summarise_acceptance,
)
from pipelines.report.acceptance_page import (
    AcceptanceRun,
    render_acceptance_page,
    render_acceptance_terminal,
    summarise_run,
)
from pipelines.report.faults import Faults
from pipelines.report.html import render_html
from pipelines.report.material import Identity, Material, read_manifests, read_material
from pipelines.report.mt_bench import (
    MTBenchMaterial,
    read_mt_bench,
    render_mt_bench_terminal,
    summarise_mt_bench,
)
from pipelines.report.rules import pareto_picture
from pipelines.report.safety import (
    SafetyMaterial,
    read_safety,
    render_safety_terminal,
    summarise_safety,
)
from pipelines.report.summary import summarise
from pipelines.report.terminal import render_terminal

Settings = Mapping[str, Any]
Inputs = Mapping[str, Path]

_SECTIONS = ("acceptance", "gate", "mt_bench")
"""Settings that are no part of the run's identity."""


@dataclass(frozen=True)
class ReportMaterial:
    """All that a page of a run that decodes is rendered from; None where there is no such part."""

    run: Material
    acceptance: AcceptanceMaterial | None
    safety: SafetyMaterial | None
    mt_bench: MTBenchMaterial | None


class UnknownSettingsError(Exception):
    """An artifact is there, and what the report would have to know of it is not."""


def read_report(
    settings: Settings, inputs: Inputs, faults: Faults, unknown: Identity | None = None
) -> ReportMaterial:
    """Reads everything that a run which decodes has to tell.

    Args:
        unknown: What the run is taken for where ``settings`` do not say what it was.
    """
    parts: dict[str, Any] = {"acceptance": None, "safety": None, "mt_bench": None}
    with faults.reading("acceptance"):
        if "acceptance" in inputs:
            parts["acceptance"] = _read_texts(settings, inputs)
    with faults.reading("safety"):
        if "safety" in inputs:
            parts["safety"] = read_safety(inputs["safety"])
    with faults.reading("mt_bench"):
        if "mt_bench" in inputs:
            parts["mt_bench"] = read_mt_bench(inputs["mt_bench"], **_section(settings, "mt_bench"))
    identity = unknown
    if settings or unknown is None:
        with faults.reading("the report's settings"):
            identity = identity_of(settings)
    assert identity is not None, "without one to fall back on, that was raised"
    run = read_material(identity, inputs, settings.get("gate"), faults)
    return ReportMaterial(run, **parts)


def render_page(material: ReportMaterial, faults: Faults) -> str:
    """``report.html``."""
    return render_html(
        material.run, material.acceptance, material.safety, material.mt_bench, faults
    )


def render_table(material: ReportMaterial) -> str:
    """``terminal.txt``."""
    text = render_terminal(material.run) if material.run.headline else ""
    if material.mt_bench is not None:
        text += render_mt_bench_terminal(material.mt_bench)
    if material.acceptance is not None:
        text += render_acceptance_terminal(material.acceptance)
    if material.safety is not None:
        text += render_safety_terminal(material.safety)
    return text


def render_pictures(material: ReportMaterial) -> dict[str, str]:
    """Pictures that are files of their own, by name."""
    return {"pareto.svg": pareto_picture(material.run)} if material.run.pareto else {}


def summarise_report(material: ReportMaterial) -> dict[str, Any]:
    """``summary.json``."""
    summary = summarise(material.run)
    if material.mt_bench is not None:
        summary["mt_bench"] = summarise_mt_bench(material.mt_bench)
    if material.acceptance is not None:
        summary["acceptance"] = summarise_acceptance(material.acceptance)
    if material.safety is not None:
        summary["safety"] = summarise_safety(material.safety)
    return summary


@dataclass(frozen=True)
class AcceptanceReport:
    """The same of a run that offers texts to its target and decodes nothing."""

    page: str
    table: str
    summary: dict[str, Any]


def render_acceptance_report(
    settings: Settings, inputs: Inputs, faults: Faults | None = None
) -> AcceptanceReport:
    """Reads and renders it.

    Args:
        faults: What is already known to be missing; without it, whatever is missing is raised.
    """
    faults = faults or Faults(strict=True)
    manifests = read_manifests(inputs, faults)
    run = AcceptanceRun(
        settings["exp"],
        settings["pair"],
        settings["stand_in"],
        manifests,
        read_lineage(manifests, inputs),
    )
    texts = _read_texts(settings, inputs)
    return AcceptanceReport(
        render_acceptance_page(run, texts, faults.lines),
        render_acceptance_terminal(texts),
        summarise_run(run, texts),
    )


def identity_of(settings: Settings) -> Identity:
    """What the run was, from the settings of its report."""
    length = settings["draft_length"]
    adaptive = isinstance(length, Mapping)
    return Identity(
        **{
            **{name: value for name, value in settings.items() if name not in _SECTIONS},
            "decoders": tuple(settings["decoders"]),
            "draft_length": length[AUTO]["longest"] if adaptive else length,
            "adaptive": adaptive,
        }
    )


def _read_texts(settings: Settings, inputs: Inputs) -> AcceptanceMaterial:
    texts = _section(settings, "acceptance")
    identity = AcceptanceIdentity(**{**texts, "texts": dict(texts["texts"])})
    return read_acceptance(identity, inputs["acceptance"])


def _section(settings: Settings, name: str) -> Mapping[str, Any]:
    if name not in settings:
        raise UnknownSettingsError("the report's settings, which say what was measured, are gone")
    section: Mapping[str, Any] = settings[name]
    return section
