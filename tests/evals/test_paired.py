"""A paired comparison says what turned, how sure that is, and is as wide as it has to be."""

from __future__ import annotations

import itertools
import math

import pytest
from scipy import stats

from evals.paired import compare_paired, mcnemar_p, tango_interval


def scores(right: int, turned_wrong: int, turned_right: int, wrong: int) -> list[list[float]]:
    after = [1.0] * right + [0.0] * turned_wrong + [1.0] * turned_right + [0.0] * wrong
    before = [1.0] * right + [1.0] * turned_wrong + [0.0] * turned_right + [0.0] * wrong
    return [after, before]


def test_documents_that_turned_are_counted() -> None:
    found = compare_paired(*scores(36, turned_wrong=2, turned_right=12, wrong=0))

    assert (found.turned_wrong, found.turned_right, found.n) == (2, 12, 50)
    assert found.value == pytest.approx(0.2)
    assert found.method == "mcnemar"


def test_mcnemars_p_value_is_a_fair_coins() -> None:
    # 2 or fewer, or 12 or more, heads of 14: 2 x (1 + 14 + 91) / 2^14.
    assert mcnemar_p(12, 2) == pytest.approx(2 * 106 / 2**14)
    assert mcnemar_p(0, 0) == 1.0


def test_the_interval_is_where_the_score_test_stops_rejecting() -> None:
    # Fleiss's statistic at no difference is McNemar's: (12 - 2)^2 / (12 + 2) = 7.14 > 3.84.
    low, high = tango_interval(12, 2, 50, 0.95)
    at_zero = 2 * stats.norm.cdf(10 / math.sqrt(14)) - 1
    touching, _ = tango_interval(12, 2, 50, at_zero)

    assert 0 < low < 0.2 < high
    assert touching == pytest.approx(0.0, abs=1e-6)
    assert (low, high) == pytest.approx((0.0611, 0.3447), abs=1e-4)


@pytest.mark.parametrize("turned", [(0, 0), (3, 0), (0, 3), (5, 2)])
def test_swapping_the_decoders_turns_the_interval_round(turned: tuple[int, int]) -> None:
    better, worse = turned
    low, high = tango_interval(better, worse, 40, 0.9)
    other_low, other_high = tango_interval(worse, better, 40, 0.9)

    assert (low, high) == pytest.approx((-other_high, -other_low))


def test_where_nothing_turned_the_interval_still_has_a_width() -> None:
    found = compare_paired([1.0] * 200, [1.0] * 200)
    z = stats.norm.ppf(0.975)

    assert found.value == 0
    assert found.p_value == 1
    assert found.low == pytest.approx(-(z**2) / (200 + z**2), abs=1e-6)
    assert found.high == pytest.approx(-found.low)


def test_all_turned_is_the_edge() -> None:
    assert tango_interval(20, 0, 20, 0.95)[1] == 1.0
    assert tango_interval(0, 20, 20, 0.95)[0] == -1.0


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    n, better, worse = 30, 0.04, 0.1
    covered = 0.0
    for b, c in itertools.product(range(16), range(18)):
        if b + c <= n:
            low, high = tango_interval(b, c, n, 0.95)
            chance = stats.multinomial.pmf([b, c, n - b - c], n, [better, worse, 0.86])
            covered += chance * (low <= better - worse <= high)

    assert 0.94 < covered < 0.98


def test_fractional_scores_are_resampled_the_same_way_every_time() -> None:
    after = [0.5, 1.0, 0.25, 0.75, 1.0, 0.0, 0.5, 1.0] * 10
    before = [0.5, 1.0, 0.75, 0.5, 1.0, 0.25, 1.0, 1.0] * 10
    found = compare_paired(after, before)

    assert found == compare_paired(after, before)
    assert found.method == "bootstrap"
    assert (found.turned_wrong, found.turned_right) == (30, 10)
    assert found.low < found.value < found.high
    # Near what the normal approximation gives for 80 documents.
    assert found.low == pytest.approx(found.value - 1.96 * found.stderr, abs=0.01)
    assert found.p_value < 0.01


def test_the_same_fractional_scores_differ_by_nothing() -> None:
    found = compare_paired([0.5, 0.25], [0.5, 0.25])

    assert (found.value, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_scores_of_other_documents_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="pair"):
        compare_paired([1.0], [1.0, 0.0])
