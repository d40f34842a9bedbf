"""The scripts of a page, and the policy that lets a browser run these and no others."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import dataclass

from markupsafe import Markup

from pipelines.report.page import packaged_text
from pipelines.report.vega_bundle import vega_bundle

CHARTS = "charts.js"
"""The packaged script that draws what ``Chart`` puts on a page; it needs the bundle."""

LINEAGE = "lineage.js"
"""The packaged script that opens an artifact when its node in the lineage is clicked."""


@dataclass(frozen=True)
class Scripts:
    """Scripts in the order in which they run; a template puts them at the end of the body."""

    sources: tuple[str, ...]

    @property
    def policy(self) -> Markup:
        """The Content-Security-Policy of a page with these scripts: whatever else stands in the
        page is not run, whoever wrote it, and nothing is loaded from anywhere."""
        hashes = [f"'sha256-{_sha256(source)}'" for source in self.sources]
        allowed = f"; script-src {' '.join(hashes)}" if hashes else ""
        return Markup(f"default-src 'none'; style-src 'unsafe-inline'{allowed}")

    def __html__(self) -> Markup:
        return Markup("\n".join(f"<script>{source}</script>" for source in self.sources))


def page_scripts(*names: str) -> Scripts:
    """The packaged scripts of these names, behind the library that ``charts.js`` needs.

    Raises:
        ValueError: A script could not stand in a page as it is.
    """
    library = (vega_bundle(),) if CHARTS in names else ()
    sources = (*library, *map(packaged_text, names))
    for source in sources:
        lower = source.lower()
        if any(sign in lower for sign in ("</script", "<!--", "\r", "\0")):
            raise ValueError("a script would end early, or be read as another one, inside a page")
    return Scripts(sources)


def _sha256(source: str) -> str:
    return b64encode(hashlib.sha256(source.encode()).digest()).decode()
