"""Where an answer says which number is its result: ``####``, a box, "the answer is"."""

from __future__ import annotations

import re
from collections.abc import Iterator

_AHEAD = r"[\s*_:=~≈({\[\\`\"]{0,20}+\$?"
_HASHES = re.compile(
    # A numbered heading ("#### 2. Add them") is no result.
    r"####\s*(?!#)(?P<rest>[*_=\\(\s]*(?:(?:minus|negative)\s)?[-$€£¥]*"
    r"\.?\d(?!\d?[.):]\s+[A-Za-z*])[^\n]*)"
)
_TAG = "<answer>"
_SAID = re.compile(
    r"\b(?:final\s+)?answer\b[*_`]*"
    r"(?P<verb>\s*[:=]|(?:\s+[\w']+){0,6}?\s+(?:is|are|equals|be|was)\b)?"
    r"(?=(?P<rest>[^\n]{0,500}(?:\n{1,9}[^\n]{1,500})?))",
    re.IGNORECASE,
)
_LETTER = re.compile(r"^[ \t]*A:(?P<rest>[^\n]*)", re.MULTILINE)
_MOST_SAID = 20
"""An answer that says so often what it is has no result; reading on would only take time."""
_SENTENCE_END = re.compile(r"[.!?;](?=\s|$)|\n")
_NUMBER_AHEAD = re.compile(
    rf"^{_AHEAD}(?:about|approximately|roughly|exactly|only|therefore|thus|then|simply|just)?"
    rf"{_AHEAD}\s?(?:minus\s|negative\s)?[-$€£¥]*\s?\.?\d",
    re.IGNORECASE,
)
_EQUATION = re.compile(
    # Nothing here gives back what it took: a line of dashes must not take for ever.
    r"^[\s*_(\\]*+-?[$€£¥\d.,\s]*+(?:[-+*/×x÷][$€£¥\d.,\s()]*+)++=\s*(?P<rest>[^\n]*)"
)


def marked(text: str) -> Iterator[str]:
    """Passages that begin with the answer's result, the surest mark first.

    In each the first number counts.
    """
    hashes = list(_HASHES.finditer(text))
    if hashes:
        yield _result(hashes[-1]["rest"])
    box = _last_box(text)
    if box is not None:
        yield box
    tag = text.rfind(_TAG)
    if tag >= 0:
        yield _result(text[tag + len(_TAG) :].partition("</")[0])
    for said in list(_SAID.finditer(text))[: -_MOST_SAID - 1 : -1]:
        passage = _said_result(said)
        if passage is not None:
            yield passage
    letters = list(_LETTER.finditer(text))
    if letters:
        yield _result(letters[-1]["rest"])


def _said_result(said: re.Match[str]) -> str | None:
    rest = said["rest"]
    if _NUMBER_AHEAD.match(rest):
        return _result(rest)
    if said["verb"] is None:
        return None
    # "The answer is that she sells 9 for $18": the sentence ends in it.
    sentence = _SENTENCE_END.split(rest.strip(), maxsplit=1)[0]
    numbers = list(re.finditer(r"(?<![\w.,])[-$€£¥]*(?:\d[\d,]*(?:\.\d+)?|\.\d+)", sentence))
    return sentence[numbers[-1].start() :] if numbers else None


def _result(passage: str) -> str:
    """What follows the last sign of equality of a calculation that a passage begins with."""
    passage = _without_latex(passage)
    while found := _EQUATION.match(passage):
        passage = found["rest"]
    return passage


def _last_box(text: str) -> str | None:
    r"""What stands in the last ``\boxed{...}``, whose braces may hold braces."""
    start = max(text.rfind("\\boxed{"), text.rfind("\\fbox{"))
    if start < 0:
        return None
    start = text.index("{", start) + 1
    depth = 1
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return _without_latex(text[start:place]).rpartition("=")[2]
    # The text breaks off inside: what is there may be half a number.
    return None


def _without_latex(text: str) -> str:
    text = text.replace("{,}", ",").replace("\\,", "").replace("\\!", "")
    text = re.sub(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r" \1/\2", text)
    text = re.sub(r"\\[dt]?frac\s*(\d)\s*(\d)", r" \1/\2", text)
    text = re.sub(r"-\s+(?=\d+/\d)", "-", text)
    text = text.replace("\\times", "×").replace("\\cdot", "×")
    text = re.sub(r"\\(?:text|mathrm|textbf|mathbf)\s*\{([^{}]*)\}", r" \1", text)
    return re.sub(r"\\[a-zA-Z]+\b|\\(?=[$%])", " ", text).replace("$ ", "$")
