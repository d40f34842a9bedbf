"""What the page's sections share: cards with a chart, and a decoder's colour."""

from __future__ import annotations

from dataclasses import dataclass, field

from markupsafe import Markup

from evals.decoders import DECODERS


@dataclass(frozen=True)
class Card:
    """One chart with its heading, what it says, and its key as (style, label)."""

    title: str
    caption: str
    chart: Markup
    key: list[tuple[str, str]] = field(default_factory=list)


def style_of(decoder: str) -> str:
    """The CSS class of a decoder's colour."""
    return decoder if decoder in DECODERS else "rule"
