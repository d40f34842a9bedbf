"""The characters of a token as markup: what is white, hidden or reorders text is made visible."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape

_JOINERS = "\u200c\u200d"
"""Words of several languages and some emoji are written with them."""
_HIDDEN = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
"""Categories of characters that cannot be seen, or that move others about."""
_SELECTORS = range(0xFE00, 0xFE10)
"""Choose a variant of the character before them."""
_WHITE = {" ": "␣", "\n": "↵", "\t": "⇥"}
_SPACES = re.compile(" *")


@dataclass(frozen=True)
class Mark:
    """One token on the page.

    Attributes:
        space: What stands before its first visible character.
        text: Its characters.
        style: Classes.
        tip: What is said of it, a line each.
        struck: The draft's token that the target replaced.
        struck_tip: What is said of that one.
    """

    space: str
    text: Markup
    style: str
    tip: str
    struck: Markup | None = None
    struck_tip: str = ""

    @classmethod
    def of(cls, text: str, style: str, tip: str) -> Mark:
        """A token that replaced none."""
        space, visible = token_markup(text)
        return cls(space, visible, style, tip)


def token_markup(text: str) -> tuple[str, Markup]:
    """The spaces before a token's first other character, and the rest with every sign visible.

    Line breaks and tabs are there as themselves, too. A token of nothing but white space, or of
    marks that belong to the character before it, is all sign, or there would be nothing to point
    at.
    """
    if not text.strip():
        return "", _joined(_visible_space(character) for character in text)
    found = _SPACES.match(text)
    spaces = found[0] if found else ""
    rest = text[len(spaces) :]
    if all(map(_belongs_to_the_one_before, rest)):
        return spaces, _joined(_visible_mark(character) for character in rest)
    return spaces, _joined(_visible(character) for character in rest)


def sign(text: str) -> Markup:
    """What stands for something that has no characters of its own."""
    return Markup('<i class="sign">{}</i>').format(text)


def direction(text: str) -> str:
    """``rtl`` where the first letter with a direction is written from right to left."""
    for character in text:
        found = unicodedata.bidirectional(character)
        if found in ("L", "R", "AL"):
            return "ltr" if found == "L" else "rtl"
    return "ltr"


def _joined(parts: Iterable[Markup]) -> Markup:
    return Markup("").join(parts)


def _belongs_to_the_one_before(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character).startswith("M")


def _visible(character: str) -> Markup:
    if character in "\n\t":
        return _visible_space(character)
    if unicodedata.category(character) in _HIDDEN and character not in _JOINERS:
        return _numbered(character)
    return escape(character)


def _visible_space(character: str) -> Markup:
    if character not in _WHITE:
        return _numbered(character)
    kept = "" if character == " " else character
    return Markup('<i class="white">{}</i>{}').format(_WHITE[character], kept)


def _visible_mark(character: str) -> Markup:
    if character in _JOINERS or ord(character) in _SELECTORS:
        return _numbered(character)
    return escape(f"\u25cc{character}")


def _numbered(character: str) -> Markup:
    return sign(f"U+{ord(character):04X}")
