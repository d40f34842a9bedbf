"""Rules side by side, on answers whose figures are worked out by hand."""

from __future__ import annotations

import pytest

from evals.generations import Generation, Timing
from evals.pareto import pareto_front, rule_points
from evals.statistics import interval, ratio

RULES = {"top": {"top_k": {"k": 2}}, "strict": {"judge": {"threshold": 0.9}}}
BLOCKS = {"exact": [[1, 1], [3]], "top": [[4], [4]], "strict": [[2, 2], [2]], "judge": [[5], [3]]}
RIGHT = {
    "target": [True, True],
    "exact": [True, True],
    "top": [True, False],
    "strict": [True, True],
    "judge": [True, False],
}


def generation(decoder: str, number: int) -> Generation:
    blocks = BLOCKS.get(decoder)
    trace = blocks and {"cycles": [{"accepted": count} for count in blocks[number]]}
    right = RIGHT[decoder][number]
    return Generation(f"p{number}", "word", decoder, "", [1] * 10, True, right, trace)


@pytest.fixture
def points() -> dict[str, object]:
    generations = {name: [generation(name, number) for number in (0, 1)] for name in RIGHT}
    timings = [
        Timing(row.prompt_id, row.decoder, 2.0 if row.decoder == "exact" else 1.0, 10, [])
        for rows in generations.values()
        for row in rows
    ]
    found = rule_points(generations, timings, "word", RULES)
    assert [point.decoder for point in found] == ["judge", "top", "strict", "exact"]
    return {point.decoder: point for point in found}


def test_a_rule_keeps_tokens_per_cycle_and_not_per_prompt(points: dict) -> None:
    assert points["exact"].accepted_per_cycle == pytest.approx(5 / 3)
    assert points["judge"].accepted_per_cycle == 4
    assert points["exact"].tokens_per_second == 5
    assert points["top"].right == 0.5
    assert points["top"].change == -0.5


def test_rules_say_what_they_are_and_whether_they_were_trained(points: dict) -> None:
    assert points["top"].rule == "top_k, k 2"
    assert [name for name, point in points.items() if point.judged] == ["judge", "strict"]


def test_what_another_rule_matches_and_beats_is_off_the_front(points: dict) -> None:
    # Top keeps 4 tokens at one right answer, as the judge does: neither beats the other.
    assert [name for name, point in points.items() if point.on_front] == ["judge", "top", "strict"]
    assert [name for name, point in points.items() if point.on_speed_front] == ["strict"]


def test_the_front_keeps_ties_and_drops_what_is_dominated() -> None:
    assert pareto_front([(1, 3), (2, 2), (2, 2), (1, 2), (3, 1)]) == [True, True, True, False, True]


def test_a_ratio_of_sums_has_the_ratio_estimators_error() -> None:
    # 6 / 4 = 1.5; residuals 2 - 1.5 and 4 - 4.5; sqrt(0.5 * 2) / 4
    found = ratio([2, 4], [1, 3])
    assert (found.value, found.stderr) == (1.5, pytest.approx(0.25))


def test_a_ratio_that_never_varies_has_no_error() -> None:
    assert ratio([2, 4, 6], [1, 2, 3]).stderr == 0


def test_the_interval_of_a_share_has_a_width_even_at_its_end() -> None:
    low, high = interval(60, 60)
    assert (round(low, 4), round(high, 4)) == (0.9398, 1.0)
    assert [round(end, 4) for end in interval(5, 10)] == [0.2366, 0.7634]
