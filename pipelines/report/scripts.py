"""The scripts of a page, and the policy that lets a browser run these and no others."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import dataclass

from markupsafe import Markup

from pipelines.report.page import packaged_text


@dataclass(frozen=True)
class Scripts:
    """Scripts in the order in which they run; a template puts them at the end of the body."""

    sources: tuple[str, ...]

    @property
    def policy(self) -> str:
        """The Content-Security-Policy of a page with these scripts."""
        hashes = [f"'sha256-{_sha256(source)}'" for source in self.sources]
        allowed = f"; script-src {' '.join(hashes)}" if hashes else ""
        return f"default-src 'none'; style-src 'unsafe-inline'{allowed}"

    def __html__(self) -> Markup:
        return Markup("\n".join(f"<script>{source}</script>" for source in self.sources))


def page_scripts(*names: str) -> Scripts:
    """The packaged scripts of these names."""
    return Scripts(tuple(map(packaged_text, names)))


def _sha256(source: str) -> str:
    return b64encode(hashlib.sha256(source.encode()).digest()).decode()
