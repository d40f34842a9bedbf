"""Which job of a sweep is best, in what order they stand, and how to run them again."""

from __future__ import annotations

import pytest

from pipelines.sweep.commands import job_command, sweep_command
from pipelines.sweep.jobs import read_jobs
from pipelines.sweep.parallel import parallel_card, place_values
from pipelines.sweep.ranking import SPEED, TOKENS, in_order, rank, verdict
from pipelines.sweep.rows import Sweep, make_sweep
from pipelines.sweep.terminal import render_terminal
from tests.sweep.conftest import Multirun, summary_of


@pytest.fixture
def sweep(multirun: Multirun) -> Sweep:
    """The second job keeps most and loses answers, the third keeps less and loses none."""
    kept_and_change = [(9.0, 0.0), (15.0, -0.1), (12.0, -0.02)]
    jobs = [
        ({"judge.layer": n}, summary_of(0.98 + change, kept, change))
        for n, (kept, change) in enumerate(kept_and_change)
    ]
    return make_sweep(read_jobs(multirun(jobs)))


def test_the_best_keeps_most_of_those_without_a_measurable_loss(sweep: Sweep) -> None:
    best = rank(sweep, "word").best
    assert best is not None and best.number == 3
    assert [row.number for row in in_order(sweep, "word")] == [3, 1, 2]


def test_the_verdict_names_it_with_its_numbers(sweep: Sweep) -> None:
    assert verdict(sweep, "word") == (
        "Judge.layer 2 keeps the most without a measurable loss: 12.0 draft tokens a cycle where"
        " the standard rule keeps 4.0, with 96.0 % right (−2.0 ± 1.4 points against the target"
        " alone). Next is judge.layer 0 with 9.0."
    )


def test_where_every_job_loses_the_one_that_loses_least_is_named(multirun: Multirun) -> None:
    jobs = [({"judge.layer": n}, summary_of(change=-0.1 - n / 10)) for n in range(2)]
    sweep = make_sweep(read_jobs(multirun(jobs)))
    assert rank(sweep, "word").best is None
    assert verdict(sweep, "word").startswith("Every job loses right answers; judge.layer 0 loses")


def test_a_front_holds_what_no_other_job_matches_in_both(sweep: Sweep) -> None:
    fronts = rank(sweep, "word").fronts
    assert fronts[TOKENS] == {1, 2, 3}
    assert fronts[SPEED] == {1}, "all are as fast, and the first has most answers right"


def test_the_terminal_marks_the_best_and_puts_it_first(sweep: Sweep) -> None:
    rows = [line for line in render_terminal(sweep).splitlines() if "0.990" in line]
    assert [row.split()[0] for row in rows] == ["*", "1", "2"]


@pytest.mark.parametrize("width", [80, 96, 110])
def test_every_number_that_decides_has_room(sweep: Sweep, width: int) -> None:
    text = render_terminal(sweep, width)
    assert max(map(len, text.splitlines())) <= width
    for number in ("12.00", "96.0%", "−2.0 ± 1.4"):
        assert number in text


def test_commands_run_the_sweep_and_one_job_again(sweep: Sweep) -> None:
    assert sweep_command(sweep.jobs) == (
        "python -m pipelines.run -m +exp=some_sweep judge.layer=0,1,2"
    )
    assert job_command(sweep.jobs[1]) == "python -m pipelines.run +exp=some_sweep judge.layer=1"


def test_jobs_that_are_no_product_of_their_values_have_no_command_in_common(
    multirun: Multirun,
) -> None:
    places = [(0, 0.1), (0, 0.2), (1, 0.1)]
    jobs = [({"judge.layer": a, "judge.lr": b}, summary_of()) for a, b in places]
    assert sweep_command(read_jobs(multirun(jobs))) is None


def test_a_job_from_before_overrides_were_noted_has_no_command(sweep: Sweep) -> None:
    (sweep.jobs[1].folder / "overrides.yaml").unlink()
    assert job_command(sweep.jobs[1]) is None
    assert sweep_command(sweep.jobs) is None


def test_a_line_runs_through_what_tells_jobs_apart_and_nothing_else(sweep: Sweep) -> None:
    card = parallel_card(sweep, "word")
    assert card is not None
    axes = list(dict.fromkeys(row["axis"] for row in card.chart.rows))
    assert axes == ["judge.layer", "kept a cycle", "right", "change"]


def test_names_stand_evenly_and_far_numbers_by_their_logarithm() -> None:
    assert place_values("pair", ["a", "b", "c"]).places == [1.0, 0.5, 0.0]
    assert place_values("tuples", [1, 10, 100]).places == pytest.approx([0.0, 0.5, 1.0])
    assert place_values("layer", [1, 2, 5]).places == pytest.approx([0.0, 0.25, 1.0])
