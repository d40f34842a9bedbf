"""Numbers of a comparison: proportions and paired differences with their standard errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A mean over ``n`` documents and its standard error."""

    value: float
    stderr: float
    n: int


def proportion(outcomes: Sequence[float]) -> Estimate:
    """The mean of outcomes in [0, 1], with sqrt(p (1 - p) / n) as its standard error.

    For fractional outcomes that expression bounds the true standard error from above.

    Raises:
        ValueError: There are no outcomes.
    """
    if not outcomes:
        raise ValueError("a proportion needs at least one outcome")
    p = math.fsum(outcomes) / len(outcomes)
    return Estimate(p, math.sqrt(max(p * (1.0 - p), 0.0) / len(outcomes)), len(outcomes))


def paired_difference(after: Sequence[float], before: Sequence[float]) -> Estimate:
    """The mean of ``after - before`` over the same documents in the same order.

    Pairing removes what makes a document easy or hard for both, so it sees much smaller
    changes than two separate standard errors would.

    Raises:
        ValueError: The two do not have the same, positive length.
    """
    if len(after) != len(before) or not after:
        raise ValueError(f"cannot pair {len(after)} with {len(before)} outcomes")
    differences = [a - b for a, b in zip(after, before, strict=True)]
    n = len(differences)
    mean = math.fsum(differences) / n
    variance = math.fsum((d - mean) ** 2 for d in differences) / n
    return Estimate(mean, math.sqrt(variance / n), n)


def ratio(above: Sequence[float], below: Sequence[float]) -> Estimate:
    """The sum of ``above`` over the sum of ``below``, two values of each document.

    The standard error is the ratio estimator's: of the residuals ``above - ratio * below``.

    Raises:
        ValueError: The two do not have the same, positive length, or ``below`` sums to 0.
    """
    if len(above) != len(below) or not above or not math.fsum(below):
        raise ValueError(f"no ratio of {len(above)} values to {len(below)}")
    total, n = math.fsum(below), len(above)
    value = math.fsum(above) / total
    residuals = math.fsum((a - value * b) ** 2 for a, b in zip(above, below, strict=True))
    return Estimate(value, math.sqrt(residuals * n / max(n - 1, 1)) / total, n)


def interval(successes: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a proportion, 95 % at the default ``z``; it has a width at 0 and 1 too.

    Raises:
        ValueError: There are no outcomes.
    """
    if n < 1:
        raise ValueError("a proportion needs at least one outcome")
    p, spread = successes / n, z * z / n
    middle = (p + spread / 2) / (1 + spread)
    half = z * math.sqrt(p * (1 - p) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)
