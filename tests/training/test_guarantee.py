"""A threshold's promise holds as often as it says, over many draws of the calibration data."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from scipy.stats import binom

from benchmarks.guarantee_splits import read_kept, split_often
from judge_lightning.calibration import HeldOut
from judge_lightning.errors import UserError
from judge_lightning.guarantee import (
    answers_threshold,
    mistakes_threshold,
    p_value,
    trials_needed,
)

MICRO = Path(__file__).parent / "micro_held_out.safetensors"
"""What a judge of the micro pair said to the mistakes of 1,772 prompts that it had not seen; the
command that wrote it stands in docs/guarantee.md."""
SPLITS = 200
ALPHA, EPSILON = 0.05, 0.1


def population(seed: int) -> torch.Tensor:
    """The judge's probabilities for 20,000 mistakes: mostly low, with a tail."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(20_000, generator=generator).mul(2).sub(2).sigmoid()


def violations(thresholds: list[float], mistakes: torch.Tensor) -> int:
    """How many of the thresholds keep more than ALPHA of all mistakes."""
    return sum(float((mistakes > threshold).double().mean()) > ALPHA for threshold in thresholds)


def draws(mistakes: torch.Tensor, size: int) -> list[list[float]]:
    generator = torch.Generator().manual_seed(1)
    return [
        mistakes[torch.randperm(len(mistakes), generator=generator)[:size]].tolist()
        for _ in range(SPLITS)
    ]


def test_the_bound_is_violated_in_at_most_epsilon_of_the_splits() -> None:
    mistakes = population(0)
    chosen = [mistakes_threshold(d, ALPHA, EPSILON).threshold for d in draws(mistakes, 300)]

    # 999 in 1000 runs of 200 splits with a chance of EPSILON each stay within this.
    allowed = int(binom.ppf(0.999, SPLITS, EPSILON))
    assert violations(chosen, mistakes) <= allowed


@pytest.fixture(scope="module")
def micro() -> HeldOut:
    return read_kept(MICRO)


@pytest.mark.parametrize(("alpha", "calibrated_on"), [(0.05, 300), (0.02, 300), (0.02, 886)])
def test_the_bound_holds_over_the_splits_of_the_micro_courts_own_mistakes(
    micro: HeldOut, alpha: float, calibrated_on: int
) -> None:
    """The population is all its prompts: a part of them alone would see the risk with an error."""
    found = split_often(micro, alpha=alpha, epsilon=0.05, calibrated_on=calibrated_on)

    assert found.splits == SPLITS
    assert found.violated <= found.allowed
    assert found.naive_violated > found.allowed
    assert found.correct_kept > 0.5


def test_a_plain_half_keeps_more_of_the_micro_courts_mistakes_than_is_asked_for(
    micro: HeldOut,
) -> None:
    found = split_often(micro, alpha=0.02, epsilon=0.05, calibrated_on=300)

    assert found.risk <= 0.02 < found.plain_risk


def test_splits_that_leave_no_prompt_to_test_on_are_refused(micro: HeldOut) -> None:
    with pytest.raises(UserError, match="leave none"):
        split_often(micro, alpha=0.05, epsilon=0.05, calibrated_on=1772)


def test_a_plain_half_violates_the_bound_always_here() -> None:
    assert violations([0.5] * SPLITS, population(0)) == SPLITS


def test_a_threshold_that_just_fits_its_sample_violates_the_bound_far_too_often() -> None:
    """What one would do without the method: the largest share in the sample that is allowed."""
    mistakes = population(0)
    naive = [sorted(d, reverse=True)[int(ALPHA * len(d))] for d in draws(mistakes, 300)]

    assert violations(naive, mistakes) > binom.ppf(0.999, SPLITS, EPSILON)


def test_the_promise_is_not_bought_with_a_threshold_of_one() -> None:
    certificate = mistakes_threshold(population(0)[:300].tolist(), ALPHA, EPSILON)

    assert 5 <= certificate.events <= 0.05 * 300
    assert certificate.p_value <= EPSILON < p_value(certificate.events + 1, 300, ALPHA)


def test_too_few_prompts_are_told_how_many_more() -> None:
    assert trials_needed(0.02, 0.05) == 149
    with pytest.raises(UserError, match=r"needs 149 .* there are 100") as error:
        mistakes_threshold([0.1] * 100, 0.02, 0.05)
    assert "49 more" in error.value.remedy


def test_no_mistake_passes_where_only_none_may() -> None:
    certificate = mistakes_threshold([0.1] * 148 + [0.9], 0.02, 0.05)

    assert (certificate.threshold, certificate.events) == (0.9, 0)


def test_ties_fall_on_the_safe_side() -> None:
    certificate = mistakes_threshold([0.4] * 400, ALPHA, EPSILON)

    assert certificate.events == 0
    assert certificate.threshold == 0.4


def test_answers_are_tested_from_the_strictest_threshold_on() -> None:
    def flags(count: int) -> list[bool]:
        return [place < count for place in range(400)]

    tried = {0.9: flags(0), 0.8: flags(4), 0.7: flags(60), 0.6: flags(1)}
    certificate = answers_threshold(tried, ALPHA, EPSILON)

    # 0.6 looks fine, but stands behind a failure, and testing ended there.
    assert (certificate.threshold, certificate.events) == (0.8, 4)
    assert "turn from right to wrong" in certificate.in_words()


def test_answers_that_turn_wrong_everywhere_promise_nothing() -> None:
    with pytest.raises(UserError, match=r"even the threshold 0\.9"):
        answers_threshold({0.9: [True] * 50 + [False] * 350}, ALPHA, EPSILON)


@pytest.mark.parametrize(("alpha", "epsilon"), [(0.0, 0.1), (1.0, 0.1), (0.1, 0.0), (0.1, 1.5)])
def test_levels_that_are_no_shares_are_refused(alpha: float, epsilon: float) -> None:
    with pytest.raises(UserError, match=r"calibrate\.(alpha|epsilon)"):
        mistakes_threshold([0.1] * 500, alpha, epsilon)
