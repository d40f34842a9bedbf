"""Where the embedded pair's files are."""

from __future__ import annotations

from pathlib import Path

from judge_lightning.errors import UserError

ASSETS = Path(__file__).parent / "assets"


def asset_path(name: str) -> Path:
    """The folder of an embedded model (``target``, ``draft``, ...) or of ``tokenizer``.

    Raises:
        UserError: No embedded model has that name.
    """
    folder = ASSETS / name
    if not folder.is_dir():
        known = sorted(entry.name for entry in ASSETS.iterdir() if entry.is_dir())
        raise UserError("pair", f"no embedded model is called {name!r}", f"one of {known}")
    return folder
