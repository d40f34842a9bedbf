"""Which rule the configuration asks for, and what is refused before any work."""

from __future__ import annotations

import pytest

from judge_lightning.errors import UserError
from pipelines.calibration import (
    certifies_answers,
    check_enough_prompts,
    check_risk,
    check_split_has_prompts,
    check_whose_judge,
    chosen_rule,
    token_rule,
)
from pipelines.config import CalibrateConfig, RunConfig, SourceConfig


def test_an_alpha_alone_selects_the_risk_rule() -> None:
    assert chosen_rule(CalibrateConfig()) == "fixed"
    assert chosen_rule(CalibrateConfig(alpha=0.02)) == "risk"
    assert chosen_rule(CalibrateConfig(rule="recall")) == "recall"


def test_whole_answers_are_certified_by_another_stage() -> None:
    answers = CalibrateConfig(alpha=0.02, risk="answers")

    assert certifies_answers(answers)
    assert token_rule(answers) == "fixed"
    assert not certifies_answers(CalibrateConfig(alpha=0.02))
    assert not certifies_answers(CalibrateConfig(risk="answers"))


@pytest.mark.parametrize(
    ("calibrate", "field", "problem"),
    [
        (CalibrateConfig(rule="best"), "calibrate.rule", "unknown value 'best'"),
        (CalibrateConfig(alpha=0.1, risk="tokens"), "calibrate.risk", "unknown value 'tokens'"),
        (CalibrateConfig(rule="risk"), "calibrate.alpha", "is missing"),
        (CalibrateConfig(rule="recall", alpha=0.1), "calibrate.alpha", "the rule recall promises"),
        (CalibrateConfig(alpha=0.0), "calibrate.alpha", "is 0"),
        (CalibrateConfig(alpha=0.1, epsilon=1.0), "calibrate.epsilon", "is 1"),
    ],
)
def test_what_goes_not_together_is_refused(
    calibrate: CalibrateConfig, field: str, problem: str
) -> None:
    with pytest.raises(UserError, match=problem) as error:
        check_risk(calibrate)

    assert error.value.field == field


def run_of(count: int, share: float, **held_out: int) -> RunConfig:
    config = RunConfig(calibrate=CalibrateConfig(alpha=0.02))
    config.data.shares = {"train": 1 - share, "calibration": share}
    config.data.sources = {"word": SourceConfig("micro", "word", count=count)}
    for split, prompts in held_out.items():
        config.data.sources[split] = SourceConfig("micro", "word", split=split, count=prompts)
    return config


def test_sources_that_cannot_give_enough_prompts_are_refused_before_mining() -> None:
    with pytest.raises(UserError, match="needs 149 calibration prompts, about 120 are") as error:
        check_enough_prompts(run_of(800, 0.15, eval=5000))

    assert "about 29 more" in error.value.remedy


@pytest.mark.parametrize(
    "config",
    [
        run_of(800, 0.3),
        # So few more might turn up by chance.
        run_of(900, 0.15),
        # A source that does not say how many it has.
        run_of(0, 0.15),
        run_of(10, 0.15, calibration=150),
    ],
)
def test_sources_that_may_give_enough_are_not(config: RunConfig) -> None:
    check_enough_prompts(config)


def test_a_promise_is_about_the_judge_that_decodes() -> None:
    config = run_of(800, 0.3)
    check_whose_judge(config)
    config.engine.judge_path = "another"

    with pytest.raises(UserError, match="about the run's own") as error:
        check_whose_judge(config)

    assert error.value.field == "engine.judge_path"


def test_a_split_that_no_prompt_can_be_in_is_refused_before_mining() -> None:
    """It would have no token of either class."""
    config = run_of(100, 0.2)

    check_split_has_prompts(config, "calibration")
    with pytest.raises(UserError, match="neither correct tokens nor mistakes") as error:
        check_split_has_prompts(config, "validation")

    assert error.value.field == "data.shares.validation"


def test_a_source_of_its_own_fills_a_split_without_a_share() -> None:
    check_split_has_prompts(run_of(100, 0.2, validation=10), "validation")
