"""Sizes as people read them."""

from __future__ import annotations


def in_bytes(count: float) -> str:
    """A size for people: powers of 1000, three digits (``1.20 GB``)."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.4g} TB"
