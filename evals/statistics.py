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
