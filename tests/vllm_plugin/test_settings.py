"""What the plugin is told, by the engine's configuration, the environment and a request."""

from __future__ import annotations

from typing import Any

import pytest

from judge_lightning.errors import UserError
from judge_lightning.vllm_plugin.requests import threshold_of
from judge_lightning.vllm_plugin.settings import VARIABLE, JudgeSettings, check_version
from judge_lightning.vllm_plugin.verdicts import NEVER


def test_no_judge_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert JudgeSettings.read({}) is None
    monkeypatch.setenv(VARIABLE, "")
    assert JudgeSettings.read({"other": 1}) is None


def test_the_configuration_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "by-variable")
    assert JudgeSettings.read({}) == JudgeSettings("by-variable")
    assert JudgeSettings.read({"judge": None}) is None
    assert JudgeSettings.read({"judge": "by-config"}) == JudgeSettings("by-config")
    given = {"path": "folder", "threshold": 0.9, "any_target": True, "record": "verdicts.jsonl"}
    settings = JudgeSettings.read({"judge": given})
    assert settings is not None
    assert settings.to_json() == given
    assert JudgeSettings.read({"judge": settings.to_json()}) == settings


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"path": "folder", "treshold": 0.9}, "additional_config.judge"),
        ({"threshold": 0.9}, "additional_config.judge"),
        (7, "additional_config.judge"),
        ({"path": "folder", "threshold": 1.5}, "additional_config.judge.threshold"),
        ({"path": "folder", "threshold": "high"}, "additional_config.judge.threshold"),
        ({"path": "folder", "threshold": True}, "additional_config.judge.threshold"),
    ],
)
def test_what_does_not_fit_is_named(given: Any, field: str) -> None:
    with pytest.raises(UserError) as error:
        JudgeSettings.read({"judge": given})
    assert error.value.field == field


@pytest.mark.parametrize("version", ["0.32.0", "0.32.1+cpu", "0.32.2.post1"])
def test_supported_versions(version: str) -> None:
    check_version(version)


@pytest.mark.parametrize("version", ["0.31.0", "0.33.0", "1.0.0", "0.9.2", "dev", ""])
def test_other_versions_are_refused_by_name(version: str) -> None:
    with pytest.raises(UserError, match=f"{version} is not supported; install vllm 0.32"):
        check_version(version)


@pytest.mark.parametrize(
    ("arguments", "threshold"),
    [
        (None, 0.8),
        ({}, 0.8),
        ({"session_id": "a"}, 0.8),
        ({"judge_threshold": 0.3}, 0.3),
        ({"judge_threshold": 1}, 1.0),
        ({"exact": True}, NEVER),
        ({"exact": 1}, NEVER),
        ({"exact": False}, 0.8),
        ({"exact": True, "judge_threshold": 0.3}, NEVER),
    ],
)
def test_a_request_chooses(arguments: dict[str, Any] | None, threshold: float) -> None:
    assert threshold_of(arguments, 0.8) == threshold


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"judge_threshold": 3}, "judge_threshold"),
        ({"judge_threshold": "0.5"}, "judge_threshold"),
        ({"judge_treshold": 0.5}, "judge_treshold"),
        ({"exact": "yes"}, "exact"),
        ({"exact": 2}, "exact"),
    ],
)
def test_a_requests_mistake_is_named(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(UserError) as error:
        threshold_of(arguments, 0.8)
    assert error.value.field == field
