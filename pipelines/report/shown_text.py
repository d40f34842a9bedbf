"""Other people's text, made safe to look at: what would hide or reorder text is shown by number."""

from __future__ import annotations

import re
from typing import Any

from markupsafe import Markup

# Control and format characters, what belongs to no character set, and halves of surrogate pairs.
# Joiners stay: words of several languages and some emoji are written with them.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\ue000-\uf8ff\U000e0000-\U000e007f\U000f0000-\U0010ffff]"
)


def visible(text: str) -> str:
    """``text`` with U+202E and its like written as ``[U+202E]``; line breaks and tabs stay."""
    return _HIDDEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", text.replace("\r\n", "\n"))


def visible_value(value: Any) -> Any:
    """The same for what a template prints; markup of our own passes as it is."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value
