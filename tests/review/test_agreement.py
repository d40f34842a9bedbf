"""Agreement between reviewers, and what their decisions come to."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from judge_lightning.court.review import adjudicate, agreements, cohen_kappa, with_adjudicator
from tests.review.conftest import Decide

PAIRS = st.lists(st.tuples(st.sampled_from("amr"), st.sampled_from("amr")), max_size=30)


@given(pairs=PAIRS)
def test_kappa_is_that_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    kappa = cohen_kappa(pairs)

    if kappa is None:
        assert len({category for pair in pairs for category in pair}) <= 1
    else:
        assert math.isclose(kappa, cohen_kappa_score(*zip(*pairs, strict=True)), abs_tol=1e-12)


def test_kappa_of_a_textbook_table() -> None:
    """20 both yes, 5 and 10 mixed, 15 both no: observed 0.7, by chance 0.5."""
    pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15

    assert cohen_kappa(pairs) == pytest.approx(0.4)


def test_a_pair_is_compared_on_what_both_judged(decide: Decide) -> None:
    decisions = [
        decide("accept", "rev1", tuple_id="1"),
        decide("accept", "rev2", tuple_id="1"),
        decide("move", "rev1", tuple_id="2", span=(4, 7)),
        decide("move", "rev2", tuple_id="2", span=(5, 6)),
        decide("reject", "rev1", tuple_id="3"),
        decide("accept", "rev2", tuple_id="3"),
        decide("skip", "rev1", tuple_id="4"),
        decide("accept", "rev2", tuple_id="4"),
        decide("accept", "rev1", tuple_id="5"),
    ]

    [pair] = agreements(decisions)

    assert (pair.first, pair.second, pair.shared, pair.same_verdict) == ("rev1", "rev2", 3, 2)
    assert (pair.both_kept, pair.exact, pair.overlapping) == (2, 1, 2)
    assert pair.kappa == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("verdicts", "outcome"),
    [
        (["accept"], "keep"),
        (["reject"], "reject"),
        (["skip", "skip"], "skipped"),
        (["accept", "skip"], "keep"),
        (["accept", "reject"], "disputed"),
        (["accept", "move"], "disputed"),
        (["accept", "accept", "move"], "keep"),
        (["accept", "reject", "reject"], "reject"),
        (["accept", "move", "reject"], "disputed"),
    ],
)
def test_the_majority_settles_and_a_tie_is_a_dispute(
    decide: Decide, verdicts: list[str], outcome: str
) -> None:
    made = [decide(verdict, f"reviewer {n}") for n, verdict in enumerate(verdicts)]

    settled = adjudicate(made)

    assert settled.kind == outcome
    assert settled.reviewers == sum(verdict != "skip" for verdict in verdicts)
    assert settled.span == ((8, 9) if outcome == "keep" else None)


def test_an_adjudicator_overrules_where_they_judged(decide: Decide) -> None:
    made = [
        decide("accept", "rev1"),
        decide("reject", "rev2"),
        decide("move", "judge"),
        decide("accept", "rev1", tuple_id="other"),
        decide("skip", "judge", tuple_id="other"),
    ]

    left = with_adjudicator(made, "judge")

    assert [(d.tuple_id, d.reviewer) for d in left] == [
        ("t", "judge"), ("other", "rev1"), ("other", "judge"),
    ]  # fmt: skip
