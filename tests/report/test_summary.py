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
    assert summary["decode"] == summary["families"]["word"]


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
