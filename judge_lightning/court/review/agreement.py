"""How far reviewers agree: counts, and Cohen's kappa for every pair of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from judge_lightning.court.review.decisions import KEPT, Decision, Span

DECIDED = (*KEPT, "reject")
"""Verdicts that are compared. A skipped tuple was not judged."""


@dataclass(frozen=True)
class PairAgreement:
    """Two reviewers on the tuples that both judged.

    ``kappa`` is None where chance alone would make them agree always, or nothing is shared.
    ``both_kept`` counts tuples in which both see a mistake; of these, ``exact`` have the same
    characters marked and ``overlapping`` at least one in common (the exact ones included).
    """

    first: str
    second: str
    shared: int
    same_verdict: int
    kappa: float | None
    both_kept: int
    exact: int
    overlapping: int


def cohen_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Agreement beyond chance, -1 to 1 (Cohen 1960): (observed - expected) / (1 - expected).

    Args:
        pairs: The two raters' categories for each case that both rated.

    Returns:
        None when it is undefined: no pairs, or both raters know a single category only.
    """
    count = len(pairs)
    if not count:
        return None
    observed = sum(first == second for first, second in pairs)
    firsts = Counter(first for first, _ in pairs)
    seconds = Counter(second for _, second in pairs)
    # In whole numbers, so that "always the same category" is found without rounding.
    expected = sum(firsts[category] * seconds[category] for category in firsts)
    if expected == count * count:
        return None
    return (observed * count - expected) / (count * count - expected)


def agreements(decisions: Sequence[Decision]) -> list[PairAgreement]:
    """Compares every two reviewers, in the order of their names.

    Args:
        decisions: At most one a tuple and reviewer, as ``latest`` gives them.
    """
    by_reviewer: dict[str, dict[str, Decision]] = defaultdict(dict)
    for decision in decisions:
        judged = by_reviewer[decision.reviewer]  # one who only skipped is compared, too
        if decision.verdict in DECIDED:
            judged[decision.tuple_id] = decision
    return [
        compare(first, second, by_reviewer[first], by_reviewer[second])
        for first, second in combinations(sorted(by_reviewer), 2)
    ]


def compare(
    first: str, second: str, ours: dict[str, Decision], theirs: dict[str, Decision]
) -> PairAgreement:
    """Two reviewers' judged tuples (``DECIDED`` verdicts), by tuple id."""
    both = [(ours[name], theirs[name]) for name in ours if name in theirs]
    kept = [(a.span, b.span) for a, b in both if a.span is not None and b.span is not None]
    return PairAgreement(
        first=first,
        second=second,
        shared=len(both),
        same_verdict=sum(a.verdict == b.verdict for a, b in both),
        kappa=cohen_kappa([(a.verdict, b.verdict) for a, b in both]),
        both_kept=len(kept),
        exact=sum(a == b for a, b in kept),
        overlapping=sum(overlap(a, b) for a, b in kept),
    )


def overlap(a: Span, b: Span) -> bool:
    """Whether two half-open ranges share a character, or are the same empty one."""
    return a == b or max(a[0], b[0]) < min(a[1], b[1])
