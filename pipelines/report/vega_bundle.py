"""Vega, Vega-Lite and Vega-Embed as one script, which a page carries so that it asks nobody for
anything.

The bundle is made of the files inside the package vl-convert, which takes seconds: it is kept in
the user's cache folder.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from importlib.metadata import version
from pathlib import Path

from pipelines.durable import write_text

_FOLDER = "judge-lightning"


@cache
def vega_bundle() -> str:
    """The script (about 900 kB), which defines ``vegaEmbed``."""
    made_with = version("vl-convert-python")
    folder = _cache_folder()
    found = _cached(folder, made_with)
    if found is not None:
        return found
    import vl_convert

    # Its type stubs call for a snippet, which has a default.
    bundle: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / f"vega-{made_with}-{_digest(bundle)}.js", bundle)
    except OSError:
        # Nothing but time is lost where nobody may write: the next process makes it again.
        pass
    return bundle


def _cached(folder: Path, made_with: str) -> str | None:
    """The cached script whose content is what its name says; None if there is none."""
    try:
        for path in sorted(folder.glob(f"vega-{made_with}-*.js")):
            bundle = path.read_text(encoding="utf-8")
            if path.stem.endswith(f"-{_digest(bundle)}"):
                return bundle
    except (OSError, ValueError):
        return None
    return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _cache_folder() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / _FOLDER
