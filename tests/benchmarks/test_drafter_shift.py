"""A judge that meets a worse draft than its court's loses its answers, and the warning fires."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import drafter_shift

JUDGE = Path(__file__).parent / "judge_of_one_draft"
"""Mined with the micro pair's draft alone, greedy; its command stands in docs/guarantee.md."""


@pytest.fixture(scope="module")
def meetings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The judge with its court's draft and with a weaker one, by pair."""
    out = tmp_path_factory.mktemp("shift") / "result.json"
    drafter_shift.main([str(JUDGE), "--prompts", "10", "--out", str(out)])
    return {row["pair"]: row for row in json.loads(out.read_text())["results"]}


def test_no_warning_stands_in_the_way_of_the_courts_own_draft(
    meetings: dict[str, dict[str, Any]],
) -> None:
    assert meetings["micro"]["right"] >= 0.9
    assert not meetings["micro"]["shifted"]


def test_a_draft_that_ruins_the_answers_is_warned_of(meetings: dict[str, dict[str, Any]]) -> None:
    small = meetings["micro_small"]

    assert small["right"] <= 0.6
    assert small["shifted"]
    assert small["by_drafts"] == small["flagged"] >= 4
