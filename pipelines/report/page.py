"""What the report's pages share: templates, and where the numbers come from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipelines.manifest import Manifest
from pipelines.report.shown_text import visible_value

_PACKAGE = "pipelines.report"


def render_page(template: str, package: str = _PACKAGE, **values: Any) -> str:
    """A page from a template. Everything that is no ``Markup`` is escaped, and signs in it that
    would hide or reorder text are shown by their number.

    Args:
        template: A file of ``package``, which may import the templates of this one.
    """
    return str(_environment(package).get_template(template).render(values))


def render_fragment(template: str, **values: Any) -> Markup:
    """A part of a page from a template of this package."""
    return Markup(_environment(_PACKAGE).get_template(template).render(values))


def styles(*names: str) -> Markup:
    """The style sheets of that name, one after the other."""
    return Markup("".join(packaged_text(name) for name in names))


def provenance(manifests: Mapping[str, Manifest], made_by: str, commands: str) -> dict[str, Any]:
    """What ``provenance.html.j2`` needs.

    Args:
        manifests: Of the artifacts that were read, by stage.
        made_by: The stage whose machine is told.
        commands: What to type to see more.
    """
    return {
        "manifests": manifests,
        "size": _size,
        "commands": commands,
        "origin": _origin(manifests[made_by]),
        "stage_settings": {
            stage: json.dumps(manifest.settings, indent=2, sort_keys=True, ensure_ascii=False)
            for stage, manifest in manifests.items()
        },
    }


def packaged_text(name: str) -> str:
    """A file of this package."""
    return resources.files(_PACKAGE).joinpath(name).read_text(encoding="utf-8")


def _origin(manifest: Manifest) -> str:
    origin = manifest.origin
    packages = origin.get("packages") or {}
    parts = [
        f"commit {origin['git_commit'][:12]}" if origin.get("git_commit") else "",
        "with uncommitted changes" if origin.get("git_changed") else "",
        f"{origin['cpus']} CPU cores" if origin.get("cpus") else "",
        str(origin.get("platform") or ""),
        *(f"{name} {packages[name]}" for name in ("torch", "transformers") if name in packages),
    ]
    known = ", ".join(part for part in parts if part)
    verb = "Decoded" if manifest.stage == "decode" else "Computed"
    return f"{verb} with {known}." if known else ""


def _size(size: int) -> str:
    value = float(size)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


@cache
def _environment(package: str) -> Environment:
    return Environment(
        autoescape=True,
        finalize=visible_value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=ChoiceLoader([PackageLoader(name, "") for name in (package, _PACKAGE)]),
    )
