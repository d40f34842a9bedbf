"""What a grader is shown, and which replies are verdicts."""

from __future__ import annotations

import pytest

from evals.mt_bench.prompts import (
    PAIR_REMINDER,
    SINGLE_REMINDER,
    ask_for_preference,
    ask_for_score,
    read_preference,
    read_score,
)
from evals.mt_bench.questions import BenchQuestion

MATH = BenchQuestion("111", "math", ("2 + 3?", "Times 2?"), ("It is 5.", "It is 10."))
POEM = BenchQuestion("81", "writing", ("A poem?", "Shorter?"), ("a hint", ""))


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("Good. [[7]]", 7.0),
        ("Rating: [[7.5]]", 7.5),
        ("[[ 8 ]]", 8.0),
        ("[[Rating: 9]]", 9.0),
        ("[[6/10]]", 6.0),
        ("One might give [[3]], but no: [[4]]", 4.0),
        ("[[10]]", 10.0),
        ("[[0]]", None),
        ("[[11]]", None),
        ("[[-3]]", None),
        ("7", None),
        ("[7]", None),
        ("[[A]]", None),
        ("[[rating]]", None),
        ("", None),
    ],
)
def test_the_last_grade_in_double_brackets_counts(reply: str, score: float | None) -> None:
    assert read_score(reply) == score


@pytest.mark.parametrize(
    ("reply", "preferred"),
    [
        ("A is better: [[A]]", "A"),
        ("[[b]]", "B"),
        ("Equal. [[ C ]]", "C"),
        ("[[A]] at first sight, but [[B]]", "B"),
        ("[[D]]", None),
        ("A", None),
        ("[[5]]", None),
    ],
)
def test_the_last_verdict_counts(reply: str, preferred: str | None) -> None:
    assert read_preference(reply) == preferred


def test_the_reminders_are_no_verdicts_by_themselves_but_show_the_form() -> None:
    assert read_score(SINGLE_REMINDER) is not None
    assert read_preference(PAIR_REMINDER) is not None


def test_a_first_answer_is_shown_without_the_second_turn() -> None:
    system, user = ask_for_score(POEM, ["Roses."])
    assert (system.role, user.role) == ("system", "user")
    assert "A poem?" in user.content
    assert "Roses." in user.content
    assert "Shorter?" not in user.content
    assert "turn 2" not in system.content


def test_a_second_answer_is_shown_behind_the_first_and_graded_alone() -> None:
    system, user = ask_for_score(POEM, ["Roses.", "Rose."])
    assert "answer in turn 2 alone" in system.content
    text = user.content
    assert text.index("A poem?") < text.index("Roses.") < text.index("Shorter?")
    assert text.endswith("Rose.")


def test_a_reference_stands_beside_answers_that_can_be_wrong() -> None:
    system, user = ask_for_score(MATH, ["6"])
    assert "reference" in system.content
    assert "It is 5." in user.content
    assert "It is 10." not in user.content
    assert "It is 10." in ask_for_score(MATH, ["6", "12"])[1].content
    assert "a hint" not in ask_for_score(POEM, ["Roses."])[1].content


def test_the_first_of_two_is_shown_as_a() -> None:
    _, user = ask_for_preference(POEM, ["Roses."], ["Tulips."])
    text = user.content
    assert (
        text.index("Assistant A, turn 1") < text.index("Roses.") < text.index("Assistant B, turn 1")
    )
    assert text.index("Assistant B, turn 1") < text.index("Tulips.")


def test_an_empty_answer_is_shown_as_one() -> None:
    assert "(an empty answer)" in ask_for_score(POEM, [""])[1].content
