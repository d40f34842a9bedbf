"""Refuses a site that would have a reader's browser ask another host for anything."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError

_FOREIGN = re.compile(r"^\s*(?:https?:)?//", re.IGNORECASE)
_IN_CSS = re.compile(r"(?:url\(|@import)\s*[\"']?\s*(?:https?:)?//[^\s\"')]+", re.IGNORECASE)
_LOADED_LINKS = {"stylesheet", "icon", "preload", "prefetch", "preconnect", "manifest"}
_LOADED_ATTRIBUTES = {"src", "srcset", "data", "poster"}


def on_post_build(config: MkDocsConfig) -> None:
    """Called by MkDocs when the site is written.

    Raises:
        PluginError: A page or a stylesheet loads something from another host.
    """
    site = Path(config.site_dir)
    found = [
        f"{path.relative_to(site)} loads {address}"
        for path in sorted(site.rglob("*"))
        if path.suffix in {".html", ".css", ".svg"}
        for address in foreign_addresses(path.read_text(encoding="utf-8"), path.suffix)
    ]
    if found:
        raise PluginError("the site must ask no other host for anything: " + "; ".join(found[:10]))


def foreign_addresses(text: str, suffix: str) -> list[str]:
    """What a page (``.html``, ``.svg``) or stylesheet (``.css``) loads from other hosts.

    Links that a person may follow are no such thing.
    """
    if suffix == ".css":
        return _IN_CSS.findall(text)
    page = _Loaded()
    page.feed(text)
    return [address for address in page.addresses if _FOREIGN.match(address)] + page.styles


class _Loaded(HTMLParser):
    """Collects what a browser fetches by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.styles: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        self._in_style = tag == "style"
        self.styles += _IN_CSS.findall(values.get("style", ""))
        self.addresses += [values[name] for name in _LOADED_ATTRIBUTES & values.keys()]
        if tag == "link" and _LOADED_LINKS & set(values.get("rel", "").lower().split()):
            self.addresses.append(values.get("href", ""))
        if tag in {"image", "use"}:
            self.addresses.append(values.get("href", values.get("xlink:href", "")))

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.styles += _IN_CSS.findall(data)
