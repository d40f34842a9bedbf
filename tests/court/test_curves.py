"""The search finds where a recovery curve falls, in few questions, and says when it rises again."""

from __future__ import annotations

from math import ceil, log2

from hypothesis import given
from hypothesis import strategies as st

from judge_lightning.court.curves import Curve, run_searches, search_fall


def searched(curve: list[float], *, checks: int = 2, asked_whole: bool = False) -> Curve:
    """Searches ``curve[n]``, the share at place n."""
    units = len(curve) - 1
    search = search_fall(units, None if asked_whole else curve[units], checks=checks)
    (found,) = run_searches([search], lambda asked: [curve[place] for _, place in asked])
    return found


def halvings(units: int) -> int:
    return ceil(log2(units)) if units > 1 else 0


falls = st.integers(1, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n - 1)))


@given(falls, st.integers(0, 4), st.booleans())
def test_a_curve_that_falls_once_is_found_exactly(
    fall: tuple[int, int], checks: int, asked_whole: bool
) -> None:
    units, before = fall
    curve = [1.0] * (before + 1) + [0.0] * (units - before)

    found = searched(curve, checks=checks, asked_whole=asked_whole)

    assert (found.before, found.monotone, found.confidence) == (before, True, 1.0)
    assert len(found.shares) <= halvings(units) + checks + 2


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=2, max_size=300))
def test_any_curve_takes_logarithmically_many_questions(curve: list[float]) -> None:
    found = searched(curve)

    assert len(found.shares) <= 3 * halvings(len(curve) - 1) + 2 + 2


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=2, max_size=60))
def test_what_is_found_is_a_fall_and_what_is_called_monotone_fits_one(curve: list[float]) -> None:
    found = searched([*curve, 0.0])

    assert found.before is not None
    shares = {0: 1.0, len(curve): 0.0} | found.shares
    assert shares[found.before + 1] < 0.5
    assert found.before == 0 or shares[found.before] >= 0.5
    fits = all((share < 0.5) == (place > found.before) for place, share in shares.items())
    assert found.monotone == fits
    assert 0 <= found.confidence <= 1
    assert found.monotone == (found.confidence == 1)


def test_a_fall_that_bisection_passed_by_is_searched_instead() -> None:
    # Bisection sees 32, 48, ... and lands on 40; the check at 16 sees the earlier fall.
    curve = [1.0] * 15 + [0.0] * 4 + [1.0] * 22 + [0.0] * 24

    found = searched(curve, checks=1)

    assert found.before == 14
    assert not found.monotone
    assert found.confidence < 1


def test_a_curve_that_rises_again_is_called_not_monotone() -> None:
    curve = [1.0] * 5 + [0.0] * 80 + [1.0] * 30 + [0.0] * 14

    found = searched(curve, checks=8)

    assert found.before == 4
    assert not found.monotone


def test_a_curve_that_ends_high_has_no_fall() -> None:
    found = searched([1.0] * 101)

    assert found.before is None
    assert len(found.shares) == 7


def test_a_dip_of_a_curve_that_ends_high_is_found() -> None:
    curve = [1.0] * 30 + [0.0] * 40 + [1.0] * 31

    found = searched(curve)

    assert found.before == 29
    assert not found.monotone


def test_the_depth_of_the_fall_is_the_confidence() -> None:
    assert searched([1.0] * 4 + [0.75] * 4 + [0.25] * 9).confidence == 0.5


def test_a_curve_that_is_low_from_the_beginning_says_so() -> None:
    found = searched([0.0] * 20)

    assert found.before == 0
    assert found.shares[0] == 0.0


@given(st.lists(falls, min_size=1, max_size=8))
def test_searches_side_by_side_find_what_each_finds_alone(several: list[tuple[int, int]]) -> None:
    curves = [[1.0] * (before + 1) + [0.0] * (units - before) for units, before in several]
    rounds = []

    def shares_of(asked: list[tuple[int, int]]) -> list[float]:
        rounds.append(len(asked))
        return [curves[number][place] for number, place in asked]

    together = run_searches([search_fall(len(c) - 1, c[-1]) for c in curves], shares_of)

    assert together == [searched(curve) for curve in curves]
    assert len(rounds) <= max(halvings(len(curve) - 1) for curve in curves) + 3
