"""What is said of a token and of a cycle on the page: a line each, from the recorded numbers."""

from __future__ import annotations

from collections.abc import Sequence

from evals.shown_tokens import ShownToken
from evals.token_chances import Chance
from pipelines.report.token_text import Mark, sign, token_markup

LEGEND = (
    ("both", "kept by both rules"),
    ("judge", "kept by the judge alone: the gain"),
    ("standard", "kept by the standard rule alone"),
    ("corrected", "corrected: the target's instead of the draft's"),
    ("target", "target's own, behind a block that was kept whole"),
)
"""Fates with what they mean, in the order of the legend."""


def fate_of(token: ShownToken) -> str:
    """What became of it, with what the target wrote told apart: a correction, or its own."""
    corrected = token.fate == "target" and token.instead_of is not None
    return "corrected" if corrected else token.fate


def mark_of(token: ShownToken, threshold: float | None, *, last: bool) -> Mark:
    """A token with its facts.

    Args:
        threshold: The judge's; None where it is not known.
        last: Whether the answer ends with it.
    """
    fate = fate_of(token)
    space, text = token_markup(token.text)
    facts = [dict(LEGEND).get(fate, fate)]
    if not token.text:
        facts[0] += "; the end of the answer" if last else "; some bytes of a character"
        text = sign((token.spelt or "end") if last else "…")
    facts += _facts(token.probability, threshold, token.target, token.draft)
    if fate != "corrected":
        return Mark(space, text, fate, "\n".join(facts))
    refused = _facts(
        token.instead_probability, threshold, token.instead_target, token.instead_draft
    )
    before, struck = token_markup(token.instead_of or "")
    return Mark(
        space or before,
        text,
        fate,
        "\n".join(facts),
        struck or sign("end"),
        "\n".join(["refused: the draft's token", *refused]),
    )


def _facts(
    judge: float | None, threshold: float | None, target: Chance | None, draft: Chance | None
) -> list[str]:
    """One line each: who, a space, and what that one says."""
    facts = [] if judge is None else [_judgement(judge, threshold)]
    chances = (("target", target), ("draft", draft))
    facts += [f"{who} {_share(it.probability)}, rank {it.rank:,}" for who, it in chances if it]
    return facts


def _judgement(probability: float, threshold: float | None) -> str:
    """With as many decimals as it takes to tell the probability from the threshold, 0 and 1."""
    for decimals in range(2, 7):
        shown = f"{probability:.{decimals}f}"
        limit = "" if threshold is None else f"{threshold:.{decimals}f}"
        if shown != limit and 0 < float(shown) < 1:
            break
    if threshold is None:
        return f"judge {shown}"
    return f"judge {shown}, {'above' if probability > threshold else 'not above'} {limit}"


def cycle_tip(number: int, tokens: Sequence[ShownToken], proposed: int | None) -> str:
    """How much of its block a cycle kept; ``number`` counts from 0."""
    kept = sum(token.fate != "target" for token in tokens)
    of = "" if proposed is None else f" of {proposed} proposed"
    return f"cycle {number + 1}: {kept}{of} tokens kept"


def _share(probability: float) -> str:
    percent = 100 * probability
    return "below 0.001 %" if percent < 0.001 else f"{percent:.3g} %"
