"""The report's section on how its numbers were made: commands, machine, versions."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from pipelines.manifest import Manifest
from pipelines.report.page import render_fragment
from pipelines.report.this_run import commands

_MEASURED = ("speed", "decode", "acceptance")
"""Stages whose machine matters most, the first that the run has."""


def origin_section(manifests: Mapping[str, Manifest], exp: str) -> Markup:
    """Commands that reproduce the run, the machine that measured, and the versions."""
    return render_fragment(
        "origin_section.html.j2",
        commands=commands(
            f"python -m pipelines.run +exp={exp}",
            {stage: one.key for stage, one in manifests.items()},
        ),
        facts=_facts(manifests),
    )


def _facts(manifests: Mapping[str, Manifest]) -> list[tuple[str, str]]:
    measured = next((manifests[stage] for stage in _MEASURED if stage in manifests), None)
    if measured is None:
        return []
    origin = measured.origin
    packages = origin.get("packages") or {}
    commit = str(origin.get("git_commit") or "")[:12]
    changed = ", with uncommitted changes" if origin.get("git_changed") else ""
    cores = f"{origin['cpus']} CPU cores, " if origin.get("cpus") else ""
    facts = (
        ("Measured by", f"the stage {measured.stage}"),
        ("Machine", f"{cores}{origin.get('platform') or ''}".strip(", ")),
        ("Started", str(measured.timings.get("started", ""))),
        ("Commit", f"{commit}{changed}" if commit else ""),
        ("Python", str(origin.get("python") or "")),
        ("Packages", ", ".join(f"{name} {version}" for name, version in packages.items())),
    )
    return [(name, value) for name, value in facts if value]
