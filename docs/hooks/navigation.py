"""Fills in the navigation: pages that are not there are left out, a folder stands for its pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Called by MkDocs before it looks at the pages."""
    config.nav = present(config.nav, Path(config.docs_dir))
    return config


def present(entries: list[dict[str, Any]], docs: Path) -> list[dict[str, Any]]:
    """The entries of ``mkdocs.yml`` whose pages exist; ``folder/`` becomes its pages by name."""
    kept: list[dict[str, Any]] = []
    for entry in entries:
        ((title, place),) = entry.items()
        if isinstance(place, list):
            below: Any = present(place, docs)
        elif place.endswith("/"):
            below = [
                page.relative_to(docs).as_posix() for page in sorted(docs.glob(f"{place}*.md"))
            ]
        else:
            below = place if (docs / place).is_file() else None
        if below:
            kept.append({title: below})
    return kept
