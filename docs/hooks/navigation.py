"""Fills in the navigation: a folder stands for its pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Called by MkDocs before it looks at the pages."""
    config.nav = expanded(config.nav, Path(config.docs_dir))
    return config


def expanded(entries: list[dict[str, Any]], docs: Path) -> list[dict[str, Any]]:
    """The entries of ``mkdocs.yml``; ``folder/`` becomes its pages by name.

    What is not there stays as it is, so that MkDocs says so.
    """
    return [{title: _expanded(place, docs)} for entry in entries for title, place in entry.items()]


def _expanded(place: Any, docs: Path) -> Any:
    if isinstance(place, list):
        return expanded(place, docs)
    if not place.endswith("/"):
        return place
    pages = sorted(docs.glob(f"{place}*.md"))
    return [page.relative_to(docs).as_posix() for page in pages] or place
