"""Standard errors are the textbook's."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.statistics import paired_difference, proportion

outcomes = st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=50)


@given(outcomes)
def test_a_proportion_has_the_binomial_standard_error(values: list[float]) -> None:
    estimate = proportion(values)
    p = sum(values) / len(values)
    assert estimate.value == pytest.approx(p)
    assert estimate.stderr == pytest.approx(math.sqrt(p * (1 - p) / len(values)))
    assert estimate.n == len(values)


@given(outcomes)
def test_nothing_changes_against_oneself(values: list[float]) -> None:
    change = paired_difference(values, values)
    assert (change.value, change.stderr) == (0.0, 0.0)


@given(outcomes, st.randoms())
def test_a_paired_difference_is_the_difference_of_the_means(values: list[float], chance) -> None:  # type: ignore[no-untyped-def]
    others = [float(chance.random() < 0.5) for _ in values]
    change = paired_difference(values, others)
    assert change.value == pytest.approx(proportion(values).value - proportion(others).value)


def test_pairing_sees_one_flip_in_a_hundred_that_separate_errors_hide() -> None:
    before = [1.0] * 50 + [0.0] * 50
    after = [0.0, *before[1:]]
    assert paired_difference(after, before).stderr == pytest.approx(0.00995, abs=1e-5)
    assert proportion(before).stderr == pytest.approx(0.05)


def test_unequal_lengths_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="cannot pair 2 with 1"):
        paired_difference([1.0, 0.0], [1.0])
