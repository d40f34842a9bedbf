"""Thresholds with a guarantee: at most a share alpha of mistakes passes, with high confidence.

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
from dataclasses import dataclass, fields
from typing import Any

from judge_lightning.errors import UserError

PLAIN = 0.5
"""The threshold of somebody who has calibrated nothing."""

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
        plain_events: Prompts that would have shown the event at a threshold of 0.5, for
            comparison; None where that was not tried.
    """

    risk: str
    alpha: float
    epsilon: float
    threshold: float
    trials: int
    events: int
    p_value: float
    data: str = ""
    plain_events: int | None = None
    method: str = METHOD
    assumption: str = ASSUMPTION

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Certificate:
        """Reads ``dataclasses.asdict`` of one; what a later version has added is left out."""
        names = {f.name for f in fields(cls)}
        return cls(**{name: value for name, value in row.items() if name in names})

    def in_words(self) -> str:
        """The promise in a sentence, with its assumption."""
        what = {
            "mistakes": "of true mistakes are kept by the judge",
            "answers": "of answers turn from right to wrong by it",
        }[self.risk]
        return (
            f"At most {_percent(self.alpha)} {what}, with {_percent(1 - self.epsilon)} confidence"
            f" over the draw of the {self.trials} calibration prompts ({self.events} of them did),"
            f" as long as {self.assumption}."
        )


def _percent(share: float) -> str:
    """Exact: a promise is not rounded."""
    return f"{100 * share:.10g} %"


def check_levels(alpha: float, epsilon: float) -> None:
    """Raises UserError for levels that are no shares."""
    for name, value in (("alpha", alpha), ("epsilon", epsilon)):
        if not 0.0 < value < 1.0:
            raise UserError(f"calibrate.{name}", f"is {value:g}", "give a share between 0 and 1")


def trials_needed(alpha: float, epsilon: float) -> int:
    """Prompts without a single event from which alpha can be promised at all.

    The smallest n with (1 - alpha)^n <= epsilon.
    """
    return math.ceil(math.log(epsilon) / math.log1p(-alpha) - 1e-9)


def p_value(events: int, trials: int, alpha: float) -> float:
    """Of "the risk is above alpha": the chance of so few events if it were alpha exactly."""
    # Here, because every judge's file reads this module and few of them need scipy.
    from scipy.stats import binom

    return float(binom.cdf(events, trials, alpha))


def mistakes_threshold(
    probabilities: Sequence[float], alpha: float, epsilon: float, data: str = ""
) -> Certificate:
    """The lowest threshold that keeps at most a share alpha of mistakes.

    Args:
        probabilities: The judge's for one mistake of each calibration prompt, drawn without
            looking at them (``calibration.one_mistake_a_prompt``).

    Raises:
        UserError: There are too few prompts to promise that.
    """
    check_levels(alpha, epsilon)
    trials = len(probabilities)
    if trials < trials_needed(alpha, epsilon):
        raise too_few(trials, alpha, epsilon, " with a mistake")
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
        plain_events=sum(probability > PLAIN for probability in descending),
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
    plain = sum(turned_wrong[PLAIN]) if PLAIN in turned_wrong else None
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
            plain_events=plain,
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


def too_few(trials: int, alpha: float, epsilon: float, counted: str = "") -> UserError:
    """The error for a calibration set that cannot promise alpha whatever it shows.

    ``counted`` says which prompts count, where not all do.
    """
    needed = trials_needed(alpha, epsilon)
    return UserError(
        "calibrate.alpha",
        f"{alpha:g} with epsilon {epsilon:g} needs {needed} calibration prompts{counted},"
        f" there are {trials}",
        f"take {needed - trials} more (data.shares.calibration), or ask for a larger alpha",
    )
