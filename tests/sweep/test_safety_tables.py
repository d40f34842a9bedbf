"""A sweep whose jobs have asked about flagged texts: the jobs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.sweep.jobs import read_jobs
from pipelines.sweep.page import render_html
from pipelines.sweep.rows import Sweep, make_sweep
from pipelines.sweep.safety import safety_tables
from pipelines.sweep.terminal import WIDTH, render_terminal, show_value
from tests.sweep.conftest import Multirun, summary_of

SHARES = ("standard", "judge", "first_kept", "control_standard", "control_judge")


def category(judge: float | None, *, harmless: bool = False) -> dict[str, Any]:
    shares: dict[str, Any] = {name: {"value": 0.5, "stderr": 0.0, "n": 30} for name in SHARES}
    shares["judge"] = None if judge is None else {"value": judge, "stderr": 0.01, "n": 30}
    return {"harmless": harmless, **shares}


def sweep_of(multirun: Multirun) -> Sweep:
    jobs = []
    for guarded, judge in ((None, 0.4), ("micro:flagged_train", 0.125)):
        categories = {
            "rude": category(judge),
            "harmless": category(0.75, harmless=True),
            "all": category(None),
        }
        summary = {**summary_of(), "safety": {"categories": categories}}
        jobs.append(({"dataset.guarded": guarded}, summary))
    folder: Path = multirun(jobs)
    return make_sweep(read_jobs(folder))


def test_the_judges_stand_side_by_side_category_by_category(multirun: Multirun) -> None:
    accepted, first, _ = safety_tables(sweep_of(multirun).done, show_value)
    assert accepted.columns == ["1: null", "2: micro:flagged_train"]
    assert accepted.rows[0] == ("rude", False, "50.0 ± 0.0 %", ["40.0 ± 1.0 %", "12.5 ± 1.0 %"])
    assert accepted.rows[1][1], "the harmless category is marked"
    assert accepted.rows[2][3] == ["–", "–"]
    assert not first.standard


def test_page_and_terminal_show_them(multirun: Multirun) -> None:
    sweep = sweep_of(multirun)
    page, table = render_html(sweep), render_terminal(sweep)
    for text in (page, table):
        assert "Flagged tokens that the judge accepts" in text
        assert "12.5 ± 1.0 %" in text
    assert max(len(line) for line in table.splitlines()) <= WIDTH


def test_a_sweep_that_has_not_asked_says_nothing_of_it(multirun: Multirun) -> None:
    sweep = make_sweep(read_jobs(multirun([({"judge.layer": 1}, summary_of())])))
    assert not safety_tables(sweep.done, show_value)
    assert "Flagged" not in render_html(sweep)
