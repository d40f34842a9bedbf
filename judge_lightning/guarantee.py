"""Thresholds with a guarantee: with confidence 1 - epsilon at most a share alpha of mistakes passes.

Judge decoding gives up the guarantee to match the target. Distribution-free risk control gives
another one back (Learn then Test, Angelopoulos et al., arXiv 2110.01052; for a risk that only
rises as thresholds fall also Bates et al., arXiv 2101.02703). Thresholds are tested from the
strictest on, each against "the risk is above alpha" with an exact binomial p-value; the last one
before the first failure is taken. Testing in a fixed order needs no correction for the number of
tests, so with probability at least 1 - epsilon over the calibration prompts the chosen
threshold's risk on new prompts is at most alpha.

The one assumption is that calibration prompts and new prompts are exchangeable. Answers to one
prompt are not independent of each other, so a prompt counts once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy.stats import binom

from judge_lightning.errors import UserError

METHOD = "Learn then Test, exact binomial, fixed sequence (arXiv 2110.01052)"
ASSUMPTION = "prompts are exchangeable with the calibration prompts"


@dataclass(frozen=True)
class Certificate:
    """What a threshold promises, and on what ground.

    Attributes:
        risk: What is bounded: ``mistakes`` (the share of true mistakes that the judge keeps) or
            ``answers`` (the share of answers that are right with the target alone and wrong with
            the judge).
        alpha: The bound on the risk.
        epsilon: The chance over the calibration draw that the bound does not hold.
        trials: Prompts that were counted, one event each.
        events: Of those, how many showed the event at the chosen threshold.
        p_value: Of the chosen threshold's test, at most ``epsilon``.
        data: A fingerprint of the calibration data.
    """

    risk: str
    alpha: float
    epsilon: float
    threshold: float
    trials: int
    events: int
    p_value: float
    data: str = ""
    method: str = METHOD
    assumption: str = ASSUMPTION

    def in_words(self) -> str:
        """The promise in a sentence."""
        what = {
            "mistakes": "of true mistakes are kept by the judge",
            "answers": "of answers turn from right to wrong by it",
        }[self.risk]
        return (
            f"At most {self.alpha:.1%} {what}, with {1 - self.epsilon:.0%} confidence over the"
            f" draw of the {self.trials} calibration prompts ({self.events} of them did), as long"
            f" as {self.assumption}."
        )


def check_levels(alpha: float, epsilon: float) -> None:
    """Raises UserError for levels that are no shares."""
    for name, value in (("alpha", alpha), ("epsilon", epsilon)):
        if not 0.0 < value < 1.0:
            raise UserError(f"calibrate.{name}", f"is {value}", "give a share between 0 and 1")


def trials_needed(alpha: float, epsilon: float) -> int:
    """Prompts without a single event from which alpha can be promised at all.

    The smallest n with (1 - alpha)^n <= epsilon.
    """
    return math.ceil(math.log(epsilon) / math.log1p(-alpha) - 1e-9)


def p_value(events: int, trials: int, alpha: float) -> float:
    """Of "the risk is above alpha": the chance of so few events if it were alpha exactly."""
    return float(binom.cdf(events, trials, alpha))


def mistakes_threshold(
    probabilities: Sequence[float], alpha: float, epsilon: float, data: str = ""
) -> Certificate:
    """The lowest threshold that keeps at most a share alpha of mistakes.

    Args:
        probabilities: The judge's for one mistake of each calibration prompt, drawn without
            looking at them; of several tokens the first.

    Raises:
        UserError: There are too few prompts to promise that.
    """
    check_levels(alpha, epsilon)
    trials = len(probabilities)
    if trials < trials_needed(alpha, epsilon):
        raise too_few(trials, alpha, epsilon)
    descending = sorted(probabilities, reverse=True)
    # The strictest threshold keeps none; each further mistake that passes is one more event.
    events = 0
    while events + 1 < trials and p_value(events + 1, trials, alpha) <= epsilon:
        events += 1
    # Ties all lie on one side: what is kept lies above the threshold strictly.
    threshold = descending[events]
    kept = sum(probability > threshold for probability in descending)
    return Certificate(
        risk="mistakes",
        alpha=alpha,
        epsilon=epsilon,
        threshold=threshold,
        trials=trials,
        events=kept,
        p_value=p_value(kept, trials, alpha),
        data=data,
    )


def answers_threshold(
    turned_wrong: Mapping[float, Sequence[bool]], alpha: float, epsilon: float, data: str = ""
) -> Certificate:
    """The lowest threshold before the first one at which too many answers turn wrong.

    Args:
        turned_wrong: For each threshold that was tried, whether each calibration prompt's answer
            was right with the target alone and wrong with the judge.

    Raises:
        UserError: There are too few prompts, or even the strictest threshold fails.
    """
    check_levels(alpha, epsilon)
    chosen: Certificate | None = None
    for threshold in sorted(turned_wrong, reverse=True):
        flags = turned_wrong[threshold]
        if len(flags) < trials_needed(alpha, epsilon):
            raise too_few(len(flags), alpha, epsilon)
        events = sum(flags)
        chance = p_value(events, len(flags), alpha)
        if chance > epsilon:
            break
        chosen = Certificate(
            risk="answers",
            alpha=alpha,
            epsilon=epsilon,
            threshold=threshold,
            trials=len(flags),
            events=events,
            p_value=chance,
            data=data,
        )
    if chosen is None:
        strictest = max(turned_wrong)
        raise UserError(
            "calibrate.alpha",
            f"even the threshold {strictest:g} turns {sum(turned_wrong[strictest])} of"
            f" {len(turned_wrong[strictest])} answers wrong, too many to promise {alpha:g}",
            "ask for a larger alpha, calibrate on more prompts, or train a better judge",
        )
    return chosen


def too_few(trials: int, alpha: float, epsilon: float) -> UserError:
    """The error for a calibration set that cannot promise alpha whatever it shows."""
    needed = trials_needed(alpha, epsilon)
    return UserError(
        "calibrate.alpha",
        f"{alpha:g} with epsilon {epsilon:g} needs {needed} calibration prompts with a mistake,"
        f" there are {trials}",
        f"take {needed - trials} more (data.shares.calibration), or ask for a larger alpha",
    )
