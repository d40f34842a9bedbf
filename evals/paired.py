"""A decoder against the target alone on the same documents: what turned, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.optimize import brentq

from evals.statistics import paired_difference

MCNEMAR, BOOTSTRAP = "mcnemar", "bootstrap"
RESAMPLES = 9_999
_SEED = 0
"""Of the resampling, so that the same scores give the same interval."""


@dataclass(frozen=True)
class PairedComparison:
    """The mean of a decoder's scores minus the target's, document by document.

    Attributes:
        value: The difference; its standard error beside it, over ``n`` documents.
        low: Lower end of the interval at ``confidence``; ``high`` the upper one.
        p_value: Two-sided, of no difference.
        turned_wrong: Documents that score less than with the target; ``turned_right``, more.
        method: ``mcnemar`` where every score is 0 or 1: McNemar's exact test (1947) and Tango's
            score interval of a paired difference (1998), which has a width even where nothing
            turned. ``bootstrap`` else: the BCa interval of the mean and a sign-flip test, both
            with fixed seeds.
    """

    value: float
    stderr: float
    n: int
    low: float
    high: float
    confidence: float
    p_value: float
    turned_wrong: int
    turned_right: int
    method: str


def compare_paired(
    after: Sequence[float], before: Sequence[float], confidence: float = 0.95
) -> PairedComparison:
    """Compares two decoders' scores of the same documents in the same order.

    Raises:
        ValueError: The two do not have the same, positive length, or the confidence is no share.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"{confidence} is no confidence: give a share between 0 and 1")
    difference = paired_difference(after, before)
    gains = np.asarray(after, dtype=float) - np.asarray(before, dtype=float)
    better, worse = int((gains > 0).sum()), int((gains < 0).sum())
    if set(after) | set(before) <= {0.0, 1.0}:
        method = MCNEMAR
        p_value = mcnemar_p(better, worse)
        low, high = tango_interval(better, worse, difference.n, confidence)
    else:
        method = BOOTSTRAP
        p_value, low, high = _resampled(gains, confidence)
    return PairedComparison(
        value=difference.value,
        stderr=difference.stderr,
        n=difference.n,
        low=low,
        high=high,
        confidence=confidence,
        p_value=p_value,
        turned_wrong=worse,
        turned_right=better,
        method=method,
    )


def mcnemar_p(better: int, worse: int) -> float:
    """McNemar's exact two-sided p-value: whether documents turn either way equally often."""
    turned = better + worse
    return float(stats.binomtest(better, turned, 0.5).pvalue) if turned else 1.0


def tango_interval(better: int, worse: int, n: int, confidence: float) -> tuple[float, float]:
    """The score interval of the difference of two paired proportions.

    Tango, "Equivalence test and confidence interval for the difference in proportions for the
    paired-sample design", Statistics in Medicine 17 (1998): the differences that a score test at
    the same level would not reject. At no difference that test is McNemar's.
    """
    z = float(stats.norm.ppf((1 + confidence) / 2))
    value = (better - worse) / n

    def distance(difference: float) -> float:
        return _score(better, worse, n, difference) ** 2 - z * z

    ends = []
    for edge in (-1.0, 1.0):
        inside = edge * (1 - 1e-12)
        reached = abs(value - edge) < 1e-9 or distance(inside) <= 0
        ends.append(edge if reached else float(brentq(distance, value, inside)))
    return ends[0], ends[1]


def _score(better: int, worse: int, n: int, difference: float) -> float:
    """Tango's statistic of a hypothetical difference; 0 at the observed one."""
    gap = better - worse - n * difference
    a = 2.0 * n
    b = (2.0 * n - better + worse) * difference - better - worse
    c = -worse * difference * (1.0 - difference)
    share = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
    variance = n * (2 * share + difference * (1.0 - difference))
    if abs(gap) < 1e-12:
        return 0.0
    return gap / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, gap)


def _resampled(gains: np.ndarray, confidence: float) -> tuple[float, float, float]:
    """The p-value and the interval of the mean of fractional gains."""
    mean = float(gains.mean())
    if np.ptp(gains) == 0:
        return (1.0 if mean == 0 else 0.0), mean, mean
    found = stats.bootstrap(
        (gains,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=confidence,
        method="BCa",
        vectorized=True,
        rng=np.random.default_rng(_SEED),
    ).confidence_interval
    flipped = stats.permutation_test(
        (gains, np.zeros_like(gains)),
        lambda one, other, axis: np.mean(one - other, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(_SEED),
    )
    return float(flipped.pvalue), float(found.low), float(found.high)
