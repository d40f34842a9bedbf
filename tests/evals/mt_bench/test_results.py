"""Means, changes and records, with errors over questions."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

import pytest

from evals.mt_bench.answers import Answer
from evals.mt_bench.grading import Grade, Match
from evals.mt_bench.results import read_results, summarise_grades


def answer(decoder: str, question: str, turn: int, problem: str = "") -> Answer:
    cycles = [{"accepted": 3}, {"accepted": turn}]
    trace = None if decoder == "target" else {"cycles": cycles}
    return Answer(question, "math", decoder, turn, "x", 5, [1] * 6, turn == 1, trace, problem)


def grade(decoder: str, question: str, turn: int, score: float | None) -> Grade:
    category = "math" if question == "q1" else "writing"
    return Grade(question, category, decoder, turn, score, "" if score else "timed out")


def match(question: str, turn: int, outcome: str | None, identical: bool = False) -> Match:
    verdicts = [{"win": "judge", "loss": "target", "tie": "tie", None: None}[outcome]] * 2
    return Match(question, "math", "judge", turn, outcome, verdicts, identical)


PLACES = [("q1", 1), ("q1", 2), ("q2", 1), ("q2", 2)]
ANSWERS = [answer(decoder, *place) for decoder in ("target", "judge") for place in PLACES]
GRADES = [
    *(grade("target", *p, score) for p, score in zip(PLACES, (8.0, 6.0, 4.0, 4.0), strict=True)),
    *(grade("judge", *p, score) for p, score in zip(PLACES, (8.0, 4.0, 4.0, None), strict=True)),
]


def test_a_mean_is_over_answers_and_its_error_over_questions() -> None:
    scores = summarise_grades(ANSWERS, GRADES, []).scores["target"]
    assert (scores.all.value, scores.all.n, scores.all.questions) == (5.5, 4, 2)
    # The questions' means are 7 and 4: a deviation of 1.5 each.
    assert scores.all.stderr == pytest.approx(math.sqrt(2 * 1.5**2 / (2 - 1) / 2))
    assert scores.turns["1"].value == 6.0
    assert scores.turns["2"].value == 5.0
    assert scores.categories["writing"].value == 4.0


def test_one_question_has_no_standard_error() -> None:
    assert summarise_grades(ANSWERS, GRADES, []).scores["target"].categories["math"].stderr is None


def test_the_change_is_paired_by_turn_and_counted_by_question() -> None:
    change = summarise_grades(ANSWERS, GRADES, []).differences["judge"]
    assert (change.n, change.turned_wrong, change.turned_right) == (2, 1, 0)
    assert change.value == (-1.0 + 0.0) / 2
    assert -1.0 <= change.low <= change.value <= change.high <= 0.0


def test_the_same_scores_everywhere_are_no_difference() -> None:
    same = [grade("judge", row.question, row.turn, row.score) for row in GRADES[:4]]
    change = summarise_grades(ANSWERS, [*GRADES[:4], *same], []).differences["judge"]
    assert (change.value, change.low, change.high) == (0.0, 0.0, 0.0)


def test_a_decoder_without_a_grade_has_no_difference() -> None:
    ungraded = [grade("judge", *place, None) for place in PLACES]
    assert summarise_grades(ANSWERS, [*GRADES[:4], *ungraded], []).differences == {}


def test_an_ungraded_answer_is_named_and_in_no_mean() -> None:
    results = summarise_grades(ANSWERS, GRADES, [])
    assert [asdict(row) for row in results.ungraded] == [
        {
            "grading": "single",
            "question": "q2",
            "turn": 2,
            "decoder": "judge",
            "reason": "timed out",
        }
    ]
    assert results.scores["judge"].ungraded == 1
    assert results.scores["judge"].all.n == 3


def test_what_there_was_nothing_to_grade_for_is_not_the_graders_debt() -> None:
    answers = [*ANSWERS[:-1], answer("judge", "q2", 2, "longer than the context")]
    results = summarise_grades(answers, GRADES, [match("q2", 2, None)])
    assert results.ungraded == []
    assert {row.grading for row in results.left_out} == {"single", "pairwise"}


def test_a_record_counts_wins_ties_and_losses() -> None:
    matches = [
        match("q1", 1, "win"),
        match("q1", 2, "loss"),
        match("q2", 1, "tie", identical=True),
        match("q2", 2, None),
    ]
    record = summarise_grades(ANSWERS, [], matches).matches["judge"]
    assert (record.wins, record.ties, record.losses, record.ungraded) == (1, 1, 1, 1)
    assert (record.identical, record.disagreed) == (1, 0)
    assert record.points is not None
    assert (record.points.value, record.points.n) == (0.0, 2)


def test_points_are_those_above_an_equal_decoders_question_by_question() -> None:
    matches = [match("q1", 1, "win"), match("q1", 2, "tie"), match("q2", 1, "loss")]
    results = summarise_grades(ANSWERS, [], [*matches, match("q2", 2, "loss")])
    points = results.matches["judge"].points
    assert points is not None
    assert points.value == (0.25 - 0.5) / 2
    assert (points.turned_right, points.turned_wrong) == (1, 1)


def test_ties_alone_are_no_difference() -> None:
    ties = [match(*place, "tie", identical=True) for place in PLACES]
    points = summarise_grades(ANSWERS, [], ties).matches["judge"].points
    assert points is not None
    assert (points.value, points.low, points.high) == (0.0, 0.0, 0.0)


def test_without_a_verdict_there_are_no_points() -> None:
    record = summarise_grades(ANSWERS, [], [match("q1", 1, None)]).matches["judge"]
    assert (record.points, record.ungraded) == (None, 1)


def test_cycles_are_told_turn_by_turn() -> None:
    cycles = summarise_grades(ANSWERS, [], []).cycles
    assert cycles["judge"]["1"].accepted_per_cycle == 2.0
    assert cycles["judge"]["2"].accepted_per_cycle == 2.5
    assert cycles["judge"]["1"].tokens_per_cycle == 3.0
    assert cycles["target"]["1"].accepted_per_cycle is None
    assert (cycles["target"]["1"].unfinished, cycles["target"]["2"].unfinished) == (0, 2)


def test_results_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    results = summarise_grades(ANSWERS, GRADES, [match("q1", 1, "win"), match("q2", 1, None)])
    path = tmp_path / "results.json"
    path.write_text(json.dumps(asdict(results)))
    assert read_results(path) == results
