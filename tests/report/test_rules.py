"""The section on acceptance rules, for a run whose decoders have rules of their own."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from evals.decoders import DECODERS
from evals.generations import ShardFiles, Timing, read_generations
from pipelines.report.html import render_html
from pipelines.report.material import Material, read_material
from pipelines.report.rules import pareto_picture, rules_section
from pipelines.report.summary import summarise
from pipelines.report.terminal import WIDTH, render_terminal
from tests.report.conftest import IDENTITY

RULES = {"top_2": {"top_k": {"k": 2}}, "unsure": {"judge": {"threshold": 0.2}}}
NAMES = (*DECODERS, *RULES)


@pytest.fixture
def ruled(artifacts: dict[str, Path]) -> Material:
    """The run with two more decoders: one writes what exact wrote, one what the judge wrote."""
    folder = artifacts["decode"]
    rows = {name: list(read_generations(folder, name)) for name in DECODERS}
    for name, seed in (("top_2", "exact"), ("unsure", "judge")):
        rows[name] = [replace(row, decoder=name) for row in rows[seed]]
    every = [row for of_decoder in rows.values() for row in of_decoder]
    timings = [Timing(row.prompt_id, row.decoder, 1.0, len(row.token_ids), []) for row in every]
    ShardFiles(folder, 0).write(NAMES, every, timings)
    scored = artifacts["evaluate"] / "results.json"
    results = json.loads(scored.read_text())
    for of_task in results.values():
        of_task |= {"top_2": of_task["exact"], "unsure": of_task["judge"]}
    scored.write_text(json.dumps(results))
    return read_material(replace(IDENTITY, decoders=NAMES, rules=RULES), artifacts)


def test_the_page_shows_every_rule_in_every_table(ruled: Material) -> None:
    page = render_html(ruled)
    assert "Acceptance rules" in page
    assert page.count("top_k, k 2") >= 4, "headline, histogram, and a table per family"
    assert "judge, threshold 0.2" in page
    assert "The same on 10 code prompts" in page


def test_the_terminal_names_the_rules_and_keeps_its_width(ruled: Material) -> None:
    text = render_terminal(ruled)
    assert "top_k, k 2" in text
    assert max(len(line) for line in text.splitlines()) <= WIDTH


def test_the_summary_holds_points_and_fronts_per_family(ruled: Material) -> None:
    pareto = summarise(ruled)["pareto"]
    assert set(pareto) == {"word", "code", "choice"}
    points = {point["decoder"]: point for point in pareto["word"]}
    assert set(points) == {"exact", "judge", "top_2", "unsure"}
    # The judge keeps more and gets one answer less right: both ends are on the front.
    assert all(point["on_front"] for point in points.values())
    assert points["exact"]["change"] == 0
    assert points["judge"]["change"] == pytest.approx(-1 / 40)
    assert points["judge"]["accepted_per_cycle"] > points["exact"]["accepted_per_cycle"]


def test_a_rule_keeps_its_tokens_per_cycle_in_the_headline(ruled: Material) -> None:
    rows = summarise(ruled)["decode"]
    assert rows["top_2"]["accepted_per_cycle"] == rows["exact"]["accepted_per_cycle"]


def test_the_pictures_points_are_the_summarys(ruled: Material) -> None:
    section = rules_section(ruled)
    assert section is not None
    points = {point["rule"]: point for point in summarise(ruled)["pareto"]["word"]}
    kept, speed = (card.chart for card in section.cards)
    for chart, value in ((kept, "accepted_per_cycle"), (speed, "tokens_per_second")):
        drawn = {row["name"]: row for row in chart.rows}
        assert drawn.keys() == points.keys()
        for rule, point in points.items():
            heights = [drawn[rule][name] for name in ("y", "low", "high")]
            assert heights == [point[name] for name in ("right", "right_low", "right_high")]
            assert drawn[rule]["x"] == point[value]


def test_the_picture_is_a_file_of_its_own(ruled: Material) -> None:
    picture = ET.fromstring(pareto_picture(ruled))
    assert picture.tag.endswith("svg")
    texts = "".join(picture.itertext())
    assert "draft tokens accepted in a cycle" in texts
    assert "target alone" in texts
    assert "var(" not in pareto_picture(ruled), "no page gives it its colours"


def test_a_run_without_rules_has_no_such_section(material: Material) -> None:
    assert rules_section(material) is None
    assert summarise(material)["pareto"] == {}
    assert "Acceptance rules" not in render_html(material)
