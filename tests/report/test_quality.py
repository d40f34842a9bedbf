"""The paired comparison stands in the terminal, on the page and in the summary alike."""

from __future__ import annotations

from pathlib import Path

from pipelines.report.html import render_html
from pipelines.report.material import Material, read_material
from pipelines.report.quality import gate_lines, paired_rows
from pipelines.report.summary import summarise
from pipelines.report.terminal import render_terminal
from tests.report.conftest import IDENTITY

GATE = {"name": "two", "tolerance": 0.02, "decoders": ["judge"], "tasks": ["micro_word"]}


def test_what_turned_is_said_of_every_speculative_decoder(material: Material) -> None:
    rows = {(row.task, row.decoder): row for row in paired_rows(material)}

    judge, exact = rows["micro_word", "judge"], rows["micro_word", "exact"]
    assert (judge.turned_wrong, judge.turned_right, judge.difference) == (1, 0, "−2.5")
    assert (exact.turned_wrong, exact.turned_right, exact.difference) == (0, 0, "±0.0")
    assert ("micro_word", "draft") not in rows


def test_page_terminal_and_summary_say_the_same(material: Material) -> None:
    (judge,) = (r for r in paired_rows(material) if (r.task, r.decoder) == ("micro_word", "judge"))
    found = summarise(material)["paired"]["micro_word"]["judge"]

    assert judge.interval in render_html(material)
    assert judge.interval in render_terminal(material)
    assert f"{found['low'] * 100:.1f}".replace("-", "−") in judge.interval
    assert (found["turned_wrong"], found["turned_right"], found["n"]) == (1, 0, 40)


def test_a_gate_says_no_in_all_three(artifacts: dict[str, Path]) -> None:
    material = read_material(IDENTITY, artifacts, GATE)
    summary = summarise(material)

    assert summary["gate"]["passed"] is False
    (said,) = summary["gate"]["refused"]
    assert "micro_word: judge differs" in said
    assert "Refused by the gate. micro_word: judge differs" in render_html(material)
    assert "Refused by the gate." in render_terminal(material)


def test_a_gate_that_is_wide_enough_lets_pass(artifacts: dict[str, Path]) -> None:
    material = read_material(IDENTITY, artifacts, {**GATE, "tolerance": 0.2})

    assert summarise(material)["gate"]["passed"] is True
    assert gate_lines(material) == [
        "The gate lets judge pass: on every task the lower bound of the difference to the target"
        " alone is above -20 points."
    ]


def test_without_a_gate_nothing_is_said_of_one(material: Material) -> None:
    assert summarise(material)["gate"] is None
    assert gate_lines(material) == []
