"""The configured annotators: each composes, and what can change labels is in the key."""

from __future__ import annotations

import pytest
from hydra import compose, initialize_config_dir

from judge_lightning.court.annotators import load_annotator
from judge_lightning.errors import UserError
from pipelines.annotating import annotator_settings, annotator_tools, check_annotating
from pipelines.composition import CONF, typed_config
from pipelines.config import RunConfig, register_schemas


def config_of(*overrides: str) -> RunConfig:
    register_schemas()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return typed_config(compose("config", ["+exp=quickstart", *overrides]))


@pytest.mark.parametrize("name", ["oracle", "calculator", "rollout", "swap"])
def test_every_annotator_has_a_configuration_that_loads(name: str) -> None:
    config = config_of(f"annotate={name}")
    check_annotating(config)

    assert config.annotate.name == name
    assert load_annotator(name, annotator_tools(config))([]) == []


def test_llm_composes_with_the_target_as_its_model() -> None:
    config = config_of("annotate=llm")
    check_annotating(config)

    assert "chat" in annotator_settings(config)


def test_llm_without_a_model_is_refused() -> None:
    with pytest.raises(UserError, match=r"annotate\.chat: is not given"):
        check_annotating(config_of("annotate=llm", "annotate.chat=null"))


def test_an_option_that_an_annotator_does_not_have_is_refused_with_those_it_has() -> None:
    with pytest.raises(UserError, match=r"annotate\.options\.kk: .*'k'"):
        check_annotating(config_of("annotate=rollout", "+annotate.options.kk=2"))


def test_options_and_the_seed_of_sampled_tries_are_in_the_key_and_the_batch_is_not() -> None:
    plain = annotator_settings(config_of("annotate=rollout"))
    sampled = ["annotate=rollout", "annotate.options.k=4", "annotate.options.temperature=0.7"]

    assert annotator_settings(config_of(*sampled)) != plain
    assert annotator_settings(config_of(*sampled, "seed=1")) != annotator_settings(
        config_of(*sampled)
    )
    assert annotator_settings(config_of("annotate=rollout", "seed=1")) == plain
    assert annotator_settings(config_of("annotate=rollout", "annotate.batch_size=3")) == plain
