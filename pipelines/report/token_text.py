"""The characters of a token as markup: what is white, hidden or reorders text is made visible."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from markupsafe import Markup, escape

_JOINERS = "\u200c\u200d"
"""Words of several languages and some emoji are written with them."""
_HIDDEN = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
"""Categories of characters that cannot be seen, or that move others about."""
_DELETE = 0x7F
_CONTROLS = 0x20
_PICTURES = 0x2400
_PICTURE_OF_DELETE = 0x2421
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

    A token of nothing but white space is all sign, or there would be nothing to point at.
    """
    found = _SPACES.match(text)
    spaces = found[0] if found else ""
    rest = text[len(spaces) :]
    if rest.isspace() or not rest:
        return "", visible_text(text, spaces=True)
    return spaces, visible_text(rest, lines=True)


def visible_text(text: str, *, spaces: bool = False, lines: bool = False) -> Markup:
    """Escaped text in which control characters, marks that turn the direction of writing and the
    like are signs.

    Args:
        spaces: Whether spaces, tabs and line breaks get a sign, too.
        lines: The same of tabs and line breaks alone.
    """
    joined = text.replace("\r\n", "\n") if not (spaces or lines) else text
    bare = not joined.strip(_JOINERS)
    parts = (_visible(character, spaces, spaces or lines, bare) for character in joined)
    return Markup("").join(parts)


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


def _visible(character: str, spaces: bool, lines: bool, bare: bool) -> Markup:
    if character in "\n\t" or (character == " " and spaces):
        kept = "" if character == " " else character
        if not lines:
            return Markup(kept)
        return Markup('<i class="white">{}</i>{}').format(_WHITE[character], kept)
    if unicodedata.category(character) not in _HIDDEN or (character in _JOINERS and not bare):
        return escape(character)
    number = ord(character)
    if number < _CONTROLS:
        return sign(chr(_PICTURES + number))
    return sign(chr(_PICTURE_OF_DELETE) if number == _DELETE else f"U+{number:04X}")
