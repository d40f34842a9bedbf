"""``summary.json`` has the keys that people and checks rely on."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from evals.decoders import DECODERS
from pipelines.report.material import Material
from pipelines.report.summary import summarise

STAND_IN = "target is micro:target grown to 8192 wide, 40 of 80 layers"


def test_the_promised_keys_are_there(material: Material) -> None:
    summary = summarise(material)
    assert (summary["schema"], summary["exp"], summary["pair"]) == (1, "quickstart", "micro")
    promised = {"tokens_per_second", "speedup", "accepted_per_cycle", "tokens_per_cycle"}
    for decoder in DECODERS:
        assert promised | {"cycles", "prompts"} <= summary["decode"][decoder].keys()
        assert {"value", "stderr"} <= summary["evaluate"]["micro_word"][decoder].keys()
    assert {"layer", "parameters", "auroc", "threshold"} <= summary["judge"].keys()
    assert set(summary["stages"]) == set(material.manifests)


def test_it_is_plain_json(material: Material) -> None:
    summary = summarise(material)
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_the_headline_is_about_the_headline_family_alone(material: Material) -> None:
    summary = summarise(material)
    assert summary["decode"]["judge"]["prompts"] == 40
    assert summary["families"]["code"]["judge"]["prompts"] == 10
    decode = {
        name: {key: value for key, value in row.items() if key != "cycle_seconds"}
        for name, row in summary["decode"].items()
    }
    assert decode == summary["families"]["word"]


def test_a_linear_judge_has_one_weight_per_dimension_and_a_bias(material: Material) -> None:
    assert summarise(material)["judge"]["parameters"] == 129


def test_the_verdict_compares_the_judge_with_exact_and_with_the_target(material: Material) -> None:
    summary = summarise(material)
    judge, exact = summary["decode"]["judge"], summary["decode"]["exact"]
    ratio = judge["accepted_per_cycle"] / exact["accepted_per_cycle"]
    assert summary["verdict"]["accepted_ratio"] == pytest.approx(ratio)
    assert summary["verdict"]["right_change"] == pytest.approx(-1 / 40)


def test_a_rounding_tie_is_counted(material_of: Callable[..., Material]) -> None:
    assert summarise(material_of())["verdict"]["exact_rounding_ties"] == 0


def test_a_stand_in_is_named_and_a_real_pair_has_none(
    material: Material, stand_in_material: Material
) -> None:
    assert summarise(material)["stand_in"] is None
    assert summarise(stand_in_material)["stand_in"] == STAND_IN


def test_speed_comes_from_the_stand_in_and_says_so(
    material: Material, timed_material: Material
) -> None:
    own, timed = summarise(material), summarise(timed_material)
    assert timed["speed"] == {
        "pair": "standin_cpu",
        "stand_in": True,
        "description": "target is micro:target grown to 128 wide, 48 layers",
        "prompts": 10,
        "engine": "eager",
        "target_over_draft": pytest.approx(10.0),
        "accepted_per_cycle": timed["speed"]["accepted_per_cycle"],
        "tokens_differ": 0,
    }
    judge, before = timed["decode"]["judge"], own["decode"]["judge"]
    assert judge["speedup"] == pytest.approx(5.0)
    assert judge["tokens_per_second"] == pytest.approx(1 / 0.006)
    assert timed["verdict"]["speed_ratio"] == pytest.approx(2.5)
    assert judge["own_speedup"] == before["speedup"]
    assert judge["own_tokens_per_second"] == before["tokens_per_second"]


def test_quality_and_acceptance_stay_those_of_the_pair_itself(
    material: Material, timed_material: Material
) -> None:
    own, timed = summarise(material), summarise(timed_material)
    for name in ("accepted_per_cycle", "tokens_per_cycle", "cycles", "prompts", "right"):
        assert timed["decode"]["judge"][name] == own["decode"]["judge"][name]


def test_no_familys_speed_is_taken_for_the_stand_ins(timed_material: Material) -> None:
    row = summarise(timed_material)["families"]["word"]["judge"]
    assert "own_tokens_per_second" in row
    assert "tokens_per_second" not in row


def test_without_a_stand_in_speed_is_the_pairs_own(
    material: Material, stand_in_material: Material
) -> None:
    speed = summarise(material)["speed"]
    assert (speed["pair"], speed["stand_in"], speed["prompts"]) == ("micro", False, 40)
    assert summarise(stand_in_material)["speed"]["stand_in"] is True
    assert "own_speedup" not in summarise(material)["decode"]["judge"]
