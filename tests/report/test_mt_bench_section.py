"""The report's section on MT-Bench says what was graded, what was not, and what it took."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evals.mt_bench.results import Mean, Record, Results, Scores, TurnCycles, Ungraded
from evals.paired import PairedComparison
from judge_lightning.court.chat import Usage
from pipelines.report.html import render_html
from pipelines.report.material import Material
from pipelines.report.mt_bench import (
    MTBenchMaterial,
    mt_bench_section,
    render_mt_bench_terminal,
    summarise_mt_bench,
)


def scores(value: float) -> Scores:
    mean = Mean(value, 0.25, 4, 2)
    return Scores(mean, {"1": mean, "2": mean}, {"math": mean, "<b>": mean}, 0)


CYCLES = TurnCycles(2, 60, 0, 10, 5.0, 6.0)
ALONE = TurnCycles(2, 60, 0, None, None, None)
RESULTS = Results(
    questions=2,
    cycles={"target": {"1": ALONE, "2": ALONE}, "judge": {"1": CYCLES, "2": CYCLES}},
    scores={"target": scores(7.0), "judge": scores(6.5)},
    differences={
        "judge": PairedComparison(-0.5, 0.35, 2, -1.25, 0.25, 0.95, 1.0, 1, 0, "bootstrap")
    },
    matches={
        "judge": Record(
            1,
            2,
            1,
            0,
            1,
            1,
            PairedComparison(0.0, 0.35, 2, -0.25, 0.25, 0.95, 1.0, 1, 1, "bootstrap"),
        )
    },
    ungraded=[Ungraded("single", "81", 2, "judge", "timed out")],
    left_out=[Ungraded("pairwise", "133", 2, "judge", "longer than the context")],
)


@pytest.fixture
def graded() -> MTBenchMaterial:
    usage = Usage(requests=12, prompt_tokens=3000, completion_tokens=400, cost=1.5)
    return MTBenchMaterial("grader-1", "greedy", RESULTS, usage)


def test_a_row_has_score_change_record_and_what_cycles_keep(graded: MTBenchMaterial) -> None:
    target, judge = mt_bench_section(graded, str).rows
    assert (target.score, target.change, target.record, target.kept) == (
        "7.00 ± 0.25",
        "–",
        "–",
        ["–", "–"],
    )
    assert judge.change == "-0.50 [-1.25, +0.25]"
    assert (judge.record, judge.points) == ("1/2/1", "50 [25, 75]")
    assert judge.kept == ["5.00", "5.00"]


def test_what_was_not_graded_is_named_with_its_reason(graded: MTBenchMaterial) -> None:
    notes = " ".join(mt_bench_section(graded, str).notes)
    assert "Without a grade: 1 (timed out); questions 81." in notes
    assert "Left out: 1 (longer than the context); questions 133." in notes


def test_what_grading_took_is_told(graded: MTBenchMaterial) -> None:
    notes = mt_bench_section(graded, str).notes
    assert notes[-1] == (
        "Grading took 12 requests, 3000 tokens read and 400 written, at a cost of 1.50."
    )


def test_without_a_single_grade_there_is_a_section_all_the_same(graded: MTBenchMaterial) -> None:
    nothing = Scores(Mean(None, None, 0, 0), {}, {}, 4)
    results = replace(RESULTS, scores={"target": nothing, "judge": nothing}, differences={})
    rows = mt_bench_section(replace(graded, results=results), str).rows
    assert [row.score for row in rows] == ["–", "–"]


def test_the_page_has_the_section_and_escapes_it(
    material: Material, graded: MTBenchMaterial
) -> None:
    page = render_html(material, mt_bench=graded)
    assert "<h2>MT-Bench</h2>" in page
    assert "<td>&lt;b&gt;</td>" in page
    assert "<h2>MT-Bench</h2>" not in render_html(material)


def test_the_terminal_has_a_table(graded: MTBenchMaterial) -> None:
    text = render_mt_bench_terminal(graded)
    assert "MT-Bench: 2 questions of two turns, graded by grader-1" in text
    assert "6.50 ± 0.25" in text


def test_the_summary_has_the_numbers(graded: MTBenchMaterial) -> None:
    summary = summarise_mt_bench(graded)
    assert summary["scores"]["judge"]["all"]["value"] == 6.5
    assert summary["matches"]["judge"]["losses"] == 1
    assert summary["usage"]["cost"] == 1.5
    assert summary["grader"] == "grader-1"
