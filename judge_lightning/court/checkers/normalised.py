"""Right where the answer is the reference, up to case, accents' coding, signs and articles.

The normal form is that of SQuAD's evaluation (Rajpurkar et al., arXiv 1606.05250).
"""

from __future__ import annotations

import re
import unicodedata

from judge_lightning.court.records import Prompt

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def check(prompt: Prompt, text: str) -> bool:
    """Whether both texts have one normal form; one of ``meta["references"]`` is as good.

    Nothing is right where the normal form is empty.
    """
    expected = {normal(prompt.reference), *map(normal, prompt.meta.get("references", ()))}
    return bool(normal(text)) and normal(text) in expected


def normal(text: str) -> str:
    """Lower case, compatible characters, no punctuation between words, no articles."""
    text = unicodedata.normalize("NFKC", text).casefold()
    # A minus and a decimal point are no punctuation.
    text = re.sub(r"(?<!\d)\.|\.(?!\d)|-(?!\d)|(?<=\w)-", " ", text)
    kept = "".join(
        character if unicodedata.category(character)[0] != "P" or character in ".-" else " "
        for character in text
    )
    return " ".join(_ARTICLES.sub(" ", kept).split())
