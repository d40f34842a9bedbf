"""What the report's pages share: templates and style sheets."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

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


def packaged_text(name: str) -> str:
    """A file of this package."""
    return resources.files(_PACKAGE).joinpath(name).read_text(encoding="utf-8")


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
