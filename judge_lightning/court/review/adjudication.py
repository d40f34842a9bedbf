"""What several reviewers' decisions about one tuple come to."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from judge_lightning.court.review.agreement import DECIDED
from judge_lightning.court.review.decisions import Decision, Span

KEEP, REJECT, DISPUTED, SKIPPED = "keep", "reject", "disputed", "skipped"


@dataclass(frozen=True)
class Outcome:
    """``kind`` is keep, reject, disputed or skipped; ``span`` is the mistake of a kept one.

    ``reviewers`` counts who judged it (skipping is no judgement).
    """

    kind: str
    span: Span | None
    reviewers: int


def by_tuple(decisions: Iterable[Decision]) -> dict[str, list[Decision]]:
    """The decisions about each tuple."""
    grouped: dict[str, list[Decision]] = defaultdict(list)
    for decision in decisions:
        grouped[decision.tuple_id].append(decision)
    return dict(grouped)


def adjudicate(decisions: Sequence[Decision]) -> Outcome:
    """The majority's outcome for one tuple.

    First whether it is kept at all, then the range that most of those who keep it chose. A
    tie in either is a dispute: nobody's label is trusted more than another's.

    Args:
        decisions: At most one a reviewer, as ``latest`` gives them.
    """
    votes = [decision for decision in decisions if decision.verdict in DECIDED]
    spans = Counter(decision.span for decision in votes if decision.span is not None)
    kept = spans.total()
    rejected = len(votes) - kept
    if not votes:
        return Outcome(SKIPPED, None, 0)
    if rejected > kept:
        return Outcome(REJECT, None, len(votes))
    ranked = spans.most_common(2)
    if rejected == kept or (len(ranked) == 2 and ranked[0][1] == ranked[1][1]):
        return Outcome(DISPUTED, None, len(votes))
    return Outcome(KEEP, ranked[0][0], len(votes))


def with_adjudicator(decisions: Sequence[Decision], adjudicator: str) -> list[Decision]:
    """The decisions, only the adjudicator's left where the adjudicator judged the tuple."""
    settled = {
        decision.tuple_id
        for decision in decisions
        if decision.reviewer == adjudicator and decision.verdict in DECIDED
    }
    return [d for d in decisions if d.reviewer == adjudicator or d.tuple_id not in settled]
