"""A multirun's jobs on one page."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from judge_lightning.errors import UserError
from pipelines.sweep.__main__ import main
from pipelines.sweep.jobs import axes_of, read_jobs
from pipelines.sweep.page import render_html
from pipelines.sweep.pictures import cards, matrices
from pipelines.sweep.rows import Sweep, make_sweep
from pipelines.sweep.terminal import WIDTH, render_terminal
from pipelines.sweep.writing import write_sweep
from tests.sweep.conftest import Multirun, summary_of


def sweep_of(folder: Path) -> Sweep:
    return make_sweep(read_jobs(folder))


@pytest.fixture
def layers(multirun: Multirun) -> Path:
    return multirun(
        [
            ({"judge.layer": layer, "judge.lr": 0.1, "sweep.title": "Which layer"},
             summary_of(0.9 + 0.02 * layer, 6.0 + 2 * layer, -0.08 + 0.02 * layer))
            for layer in range(4)
        ]
    )  # fmt: skip


@pytest.fixture
def matrix(multirun: Multirun) -> Path:
    return multirun(
        [
            ({"mine.name": mined, "pair.name": pair, "mine.drafters": {mined: {}}},
             summary_of(change=-0.5 if (mined, pair) == ("good", "bad") else 0.0,
                        shifted=(mined, pair) == ("good", "bad")))
            for mined in ("good", "several")
            for pair in ("good", "bad")
        ]
    )  # fmt: skip


def test_a_single_differing_field_is_the_axis(layers: Path) -> None:
    assert axes_of(read_jobs(layers)) == {"judge.layer": "judge.layer"}
    assert [row.values for row in sweep_of(layers).rows] == [(0,), (1,), (2,), (3,)]


def test_of_a_group_that_differs_its_name_is_told_and_not_what_is_in_it(matrix: Path) -> None:
    assert axes_of(read_jobs(matrix)) == {"pair": "pair.name", "mine": "mine.name"}


def test_what_differs_in_spite_of_the_groups_name_is_told_too(multirun: Multirun) -> None:
    heads = {"micro": "linear", "mlp": "mlp"}
    folder = multirun(
        [
            ({"judge.name": name, "judge.head": head, "judge.lr": lr}, summary_of())
            for name, head in heads.items()
            for lr in (0.1, 0.2)
        ]
    )
    assert axes_of(read_jobs(folder)) == {"judge": "judge.name", "judge.lr": "judge.lr"}


def test_axes_can_be_named_and_be_numbers_of_the_summary(multirun: Multirun) -> None:
    axes = {"sweep.axes": {"tuples": "summary.court.dataset.tuples"}}
    folder = multirun([({**axes, "dataset.maximum_tuples": 0}, summary_of())])
    assert sweep_of(folder).rows[0].values == (800.0,)


def test_the_tenth_job_comes_behind_the_second(multirun: Multirun) -> None:
    folder = multirun([({"judge.layer": number}, summary_of()) for number in range(11)])
    assert [job.name for job in read_jobs(folder)] == [str(number) for number in range(11)]


def test_a_number_on_one_axis_gives_curves_beside_the_points(layers: Path) -> None:
    titles = [card.title for card in cards(sweep_of(layers), "word")]
    assert titles == [
        "Quality against tokens kept",
        "Tokens kept by judge.layer",
        "Right answers by judge.layer",
    ]


def test_two_axes_give_a_matrix_that_marks_what_fell_and_what_was_warned_of(matrix: Path) -> None:
    quality, kept = matrices(sweep_of(matrix), "word")
    assert (quality.down, quality.across, quality.columns) == ("pair", "mine", ["good", "several"])
    cells = dict(quality.rows)
    fallen, held = cells["bad"]
    assert fallen is not None and held is not None
    assert (fallen.tone, fallen.text) == ("bad", "−50.0 !")
    assert held.tone == "good"
    assert [cell.text for _, row in kept.rows for cell in row if cell] == ["12.0"] * 4


def test_the_page_holds_every_number_and_asks_nobody_for_anything(layers: Path) -> None:
    page = render_html(sweep_of(layers))
    for right in ("90.0", "92.0", "94.0", "96.0"):
        assert right in page
    assert 'href="2/report.html"' in page
    assert not re.search(r'(src|href)="(https?:)?//', page)
    policy = page.partition('Content-Security-Policy" content="')[2].partition('"')[0]
    assert policy.startswith("default-src 'none'")
    assert page.count("<script>") == policy.count("sha256-"), "its own scripts and no others"
    HTMLParser().feed(page)


def test_what_a_config_says_is_escaped(multirun: Multirun) -> None:
    folder = multirun([({"sweep.title": "<b>x</b>", "judge.layer": 1}, summary_of())])
    assert "&lt;b&gt;x" in render_html(sweep_of(folder))


def test_the_summary_says_what_the_page_says(layers: Path) -> None:
    write_sweep(layers)
    summary = json.loads((layers / "summary.json").read_text())
    assert [job["values"]["judge.layer"] for job in summary["jobs"]] == [0, 1, 2, 3]
    assert summary["jobs"][3]["views"]["word"]["right"] == pytest.approx(0.96)
    assert summary["stages"] == {}, "garbage collection reads the jobs' own"


def test_the_table_fits_a_terminal(matrix: Path) -> None:
    table = render_terminal(sweep_of(matrix))
    assert max(map(len, table.splitlines())) <= WIDTH
    assert "4 of 4 jobs" in table and "96.0% !" in table


def test_families_have_columns_of_their_own_where_they_are_asked_for(multirun: Multirun) -> None:
    folder = multirun([({"sweep.families": ["word", "code"], "judge.layer": 1}, summary_of())])
    sweep = sweep_of(folder)
    assert sweep.views == ["word", "code"]
    assert sweep.rows[0].views["code"].change == pytest.approx(-0.4)
    assert "On code" in render_html(sweep)


def test_a_page_can_be_about_several_decoders(multirun: Multirun) -> None:
    settings = {"sweep.decoders": ["judge", "exact"]}
    folder = multirun([({**settings, "judge.layer": n}, summary_of()) for n in range(2)])
    sweep = sweep_of(folder)
    assert sweep.views == ["word, judge", "word, exact"]
    assert [view.kept for view in sweep.rows[0].views.values()] == [12.0, 4.0]
    assert "On word, exact" in render_html(sweep)


def test_jobs_that_failed_or_were_cut_short_are_named(multirun: Multirun) -> None:
    failed = {"exp": "some_sweep", "stages": {}, "run": None, "failed": "stage mine failed: x"}
    cut = {"exp": "some_sweep", "stages": {"mine": {"key": "x"}}, "run": None}
    waiting = {"exp": "some_sweep", "stages": {}, "run": None}
    summaries = enumerate([summary_of(), failed, cut, waiting])
    sweep = sweep_of(multirun([({"judge.layer": n}, s) for n, s in summaries]))
    reasons = ["stage mine failed: x", "not finished", "not started"]
    assert [row.failed for row in sweep.rows] == [None, *reasons]
    page, table = render_html(sweep), render_terminal(sweep)
    for reason in reasons:
        assert reason in page and reason in table
    assert "1 of 4 jobs" in table


def test_a_sweep_in_which_nothing_was_decoded_still_has_a_page(multirun: Multirun) -> None:
    done = {"exp": "some_sweep", "stages": {}, "run": {"seconds": 1.0, "peak_memory": 1}}
    folder = multirun([({"judge.layer": n}, done) for n in range(2)])
    assert "2 of 2 jobs" in render_terminal(sweep_of(folder))
    render_html(sweep_of(folder))


def test_the_papers_numbers_stand_beside_with_what_each_row_is(multirun: Multirun) -> None:
    stand_in = {**summary_of(), "stand_in": "target is grown", "pair": "standin_cpu"}
    timed = {**summary_of(), "speed": {"pair": "standin_cpu", "stand_in": True}}
    folder = multirun(
        [
            ({"sweep.beside": "paper", "pair.name": str(n)}, s)
            for n, s in enumerate([summary_of(), stand_in, timed])
        ]
    )
    page = render_html(sweep_of(folder))
    assert "19.7" in page and "9.7x" in page and "paper, 8 H100, 8-bit" in page
    assert page.count(">stand-in<") == 3, "target, exact and judge"
    assert "real; speed of the stand-in standin_cpu" in page


def test_a_page_is_rendered_again_without_running_anything(
    layers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(layers)]) == 0
    assert "4 of 4 jobs" in capsys.readouterr().out
    assert (layers / "report.html").is_file()


def test_a_folder_of_no_multirun_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 2
    assert "holds no job of a multirun" in capsys.readouterr().err


def test_a_damaged_job_is_named(layers: Path) -> None:
    (layers / "1" / "summary.json").write_text("{")
    with pytest.raises(UserError, match=r"1: is no job's folder"):
        read_jobs(layers)


def test_a_views_speed_up_is_its_own_decoders_on_its_own_prompts(multirun: Multirun) -> None:
    summary = summary_of()
    summary["decode"]["judge"] = {**summary["decode"]["judge"], "speedup": 1.5}
    summary["decode"]["exact"] = {**summary["decode"]["exact"], "speedup": 0.7}
    del summary["families"]["code"]["judge"]["speedup"]  # Of a stand-in: word's alone is known.
    settings = {
        "judge.layer": 1,
        "sweep.families": ["word", "code"],
        "sweep.decoders": ["judge", "exact"],
    }
    sweep = sweep_of(multirun([(settings, summary)]))
    speed = {name: view.speedup for name, view in sweep.rows[0].views.items()}
    assert speed == {
        "word, judge": 1.5,
        "code, judge": None,
        "word, exact": 0.7,
        "code, exact": 2.0,
    }


def test_jobs_that_decode_nothing_have_a_table_and_links_all_the_same(multirun: Multirun) -> None:
    nothing = {"exp": "some_sweep", "pair": "micro", "stages": {}, "run": {"seconds": 1.0}}
    folder = multirun([({"judge.layer": n}, nothing) for n in (1, 2)])
    page = render_html(sweep_of(folder))
    assert page.count("it decodes nothing, its report has its numbers") == 2
    assert 'href="1/report.html"' in page


def test_a_summary_of_another_version_costs_its_own_job_alone(multirun: Multirun) -> None:
    odd = summary_of()
    del odd["verdict"]
    folder = multirun([({"judge.layer": n}, s) for n, s in enumerate([summary_of(), odd])])
    sweep = sweep_of(folder)
    assert len(sweep.done) == 1
    assert "another version ('verdict' is missing" in (sweep.rows[1].failed or "")
