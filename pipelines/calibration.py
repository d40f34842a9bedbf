"""Which rule sets the judge's threshold, as the configuration asks for it, checked before work."""

from __future__ import annotations

import math

from judge_lightning.errors import UserError
from pipelines.config import CalibrateConfig, RunConfig

RULES = ("fixed", "recall", "risk")
RISKS = ("mistakes", "answers")


def chosen_rule(calibrate: CalibrateConfig) -> str:
    """The rule: the configured one, else ``risk`` where an alpha is given."""
    return calibrate.rule or ("fixed" if calibrate.alpha is None else "risk")


def certifies_answers(calibrate: CalibrateConfig) -> bool:
    """Whether the threshold comes from whole answers, which the stage trials decodes."""
    return chosen_rule(calibrate) == "risk" and calibrate.risk == "answers"


def token_rule(calibrate: CalibrateConfig) -> str:
    """The rule of the stage calibrate; where another stage decides it takes the fixed one."""
    return "fixed" if certifies_answers(calibrate) else chosen_rule(calibrate)


def check_risk(calibrate: CalibrateConfig) -> None:
    """Raises UserError for an unknown rule or risk, or levels that do not go with the rule."""
    from judge_lightning.guarantee import check_levels

    for name, value, known in (
        ("rule", chosen_rule(calibrate), RULES),
        ("risk", calibrate.risk, RISKS),
    ):
        if value not in known:
            raise UserError(
                f"calibrate.{name}", f"unknown value {value!r}", f"one of {list(known)}"
            )
    if chosen_rule(calibrate) != "risk":
        if calibrate.alpha is not None:
            raise UserError(
                "calibrate.alpha",
                f"is given, but the rule {calibrate.rule} promises no such thing",
                "use calibrate.rule=risk, or leave the rule out",
            )
        return
    if calibrate.alpha is None:
        raise UserError(
            "calibrate.alpha",
            "is missing, which the rule risk promises",
            "give a share, calibrate.alpha=0.02 say",
        )
    check_levels(calibrate.alpha, calibrate.epsilon)


def check_levels_fit(calibrate: CalibrateConfig, prompts: int) -> None:
    """Raises UserError where so many calibration prompts cannot promise what is asked for."""
    from judge_lightning.guarantee import too_few, trials_needed

    assert calibrate.alpha is not None, "nothing is promised"
    if prompts < trials_needed(calibrate.alpha, calibrate.epsilon):
        raise too_few(prompts, calibrate.alpha, calibrate.epsilon)


def check_whose_judge(config: RunConfig) -> None:
    """Refuses a promise about the run's own judge where another one decodes.

    Raises:
        UserError: Both are asked for.
    """
    if chosen_rule(config.calibrate) == "risk" and config.engine.judge_path is not None:
        raise UserError(
            "engine.judge_path",
            "names a judge, but calibrate.alpha promises something about the run's own",
            "leave one of the two out",
        )


def check_split_has_prompts(config: RunConfig, split: str) -> None:
    """Refuses a split that no prompt can be in: it would have neither right tokens nor mistakes.

    Raises:
        UserError: Its share is 0, and no source is for it.
    """
    if config.data.shares.get(split, 0.0) > 0:
        return
    if all(source.split != split for source in config.data.sources.values()):
        raise UserError(
            f"data.shares.{split}",
            "is 0 and no source is for that split, so it has neither correct tokens nor mistakes",
            "give it a share, 0.15 say",
        )


def check_enough_prompts(config: RunConfig) -> None:
    """Refuses an alpha for which there cannot be enough calibration prompts.

    It knows what the sources state. How many there really are, and have a mistake, is known only
    later, and counted then.

    Raises:
        UserError: How many prompts are expected, and how many are needed.
    """
    from judge_lightning.guarantee import trials_needed

    calibrate = config.calibrate
    if chosen_rule(calibrate) != "risk" or calibrate.alpha is None:
        return
    share = config.data.shares.get("calibration", 0.0)
    expected = variance = 0.0
    for source in config.data.sources.values():
        if source.split not in (None, "calibration"):
            continue
        if not source.count:
            return
        p = 1.0 if source.split else share
        expected += source.count * p
        variance += source.count * p * (1 - p)
    needed = trials_needed(calibrate.alpha, calibrate.epsilon)
    # The split is drawn prompt by prompt: two standard deviations more may turn up.
    if expected + 2 * math.sqrt(variance) < needed:
        raise UserError(
            "calibrate.alpha",
            f"{calibrate.alpha:g} with epsilon {calibrate.epsilon:g} needs {needed} calibration"
            f" prompts, about {expected:.0f} are to be expected",
            f"take about {needed - expected:.0f} more (data.sources or data.shares.calibration),"
            " or ask for a larger alpha",
        )
