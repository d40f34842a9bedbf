"""Decoded answers for the page: each token with the class of who kept it and why."""

from __future__ import annotations

from dataclasses import dataclass

from evals.example_choice import AS_IT_COMES, COST, ELSEWHERE, GUARDED
from evals.examples import Example
from evals.shown_tokens import ShownToken

LEGEND = (
    ("both", "kept by both rules"),
    ("judge", "kept by the judge alone: the gain"),
    ("standard", "kept by the standard rule alone"),
    ("target", "written by the target"),
)
"""Fates with what they mean, in the order of the legend."""

REASONS = {
    AS_IT_COMES: "As it comes: the first held-out prompts, not selected",
    GUARDED: "The judge at work: the draft token that it refused most firmly",
    COST: "What it cost: the target alone is right here, judge decoding is not",
    ELSEWHERE: "Outside the judge's training domain",
}


@dataclass(frozen=True)
class Mark:
    """One token on the page. ``space`` is what stands before its first visible character;
    ``struck`` is the draft's token that the target replaced."""

    space: str
    text: str
    style: str
    tip: str
    struck: str | None


@dataclass(frozen=True)
class Answer:
    """One example on the page, with the counts that its heading states."""

    example: Example
    reason: str
    marks: list[Mark]
    judged_alone: int


def show_answer(example: Example) -> Answer:
    """Prepares one example for the template."""
    return Answer(
        example=example,
        reason=REASONS[example.reason],
        marks=[_mark(token) for token in example.tokens],
        judged_alone=sum(token.fate == "judge" for token in example.tokens),
    )


def _mark(token: ShownToken) -> Mark:
    text = token.text.lstrip()
    space = token.text[: len(token.text) - len(text)]
    struck = (token.instead_of or "").strip()
    return Mark(space, text, token.fate, _tip(token), struck or None)


def _tip(token: ShownToken) -> str:
    meaning = dict(LEGEND)[token.fate]
    if token.probability is not None:
        return f"{meaning}; judge {token.probability:.2f}"
    if token.instead_probability is not None:
        return f"{meaning} instead of the draft's token; judge {token.instead_probability:.2f}"
    return meaning
