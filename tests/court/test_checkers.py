"""Answers are checked by the rule that their prompt names."""

from __future__ import annotations

from typing import Any

import pytest

from judge_lightning.court.chat import Failure
from judge_lightning.court.checkers import (
    CHECKERS,
    CheckerError,
    can_check,
    check,
    load_checkers,
)
from judge_lightning.court.choices import chosen_letter
from judge_lightning.court.records import Prompt
from judge_lightning.errors import UserError


def prompt(checker: str, reference: str, **meta: Any) -> Prompt:
    return Prompt("p", "?", reference, "family", "train", {"checker": checker, **meta})


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("The answer is (B).", "B"),
        ("The answer is B because it rains.", "B"),
        ("The correct answer is: **C**", "C"),
        ("the best answer would be option D", "D"),
        ("Answer: C", "C"),
        ("**Answer:** (C) rain", "C"),
        ("Answer:\nC", "C"),
        ("\\boxed{D}", "D"),
        ("\\boxed{\\text{D}}", "D"),
        ("<answer>B</answer>", "B"),
        ("I choose option [A].", "A"),
        ("Option (B) is correct; A and C are not.", "B"),
        ("The answer is A. No: the answer is B.", "B"),
        ("B", "B"),
        ("(B)", "B"),
        ("**B**", "B"),
        ("A. because it rains", "A"),
        ("B) rain", "B"),
        ("The answer is 2.", "2"),
        ("The answer is a dog.", None),
        ("The answer is A's dog.", None),
        ("It rains.", None),
        ("", None),
    ],
)
def test_a_choice_is_read_from_its_mark(text: str, letter: str | None) -> None:
    assert chosen_letter(text) == letter


def test_a_choice_may_be_the_options_own_text() -> None:
    asked = prompt("multiple_choice", "B", choices={"A": "the sun", "B": "the rain"})

    assert check(asked, "The rain.")
    assert not check(asked, "the sun")
    assert not check(asked, "rain and sun")


def test_exact_answers_may_differ_in_spacing_only() -> None:
    assert check(prompt("exact", "a b"), " a  b\n")
    assert not check(prompt("exact", "a b"), "a c")
    assert not check(prompt("exact", "a b"), "A b")


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("The Eiffel Tower!", True),
        ("eiffel   tower", True),
        ("“Eiffel-Tower”.", True),
        ("Ｅｉｆｆｅｌ Tower", True),
        ("Eiffel Towers", False),
        ("The", False),
        ("", False),
    ],
)
def test_normalised_answers_may_differ_in_case_signs_and_articles(text: str, right: bool) -> None:
    assert check(prompt("normalised", "the Eiffel Tower"), text) is right


def test_normalised_answers_keep_what_makes_numbers_differ() -> None:
    assert not check(prompt("normalised", "-3"), "3")
    assert not check(prompt("normalised", "3.5"), "35")


def test_normalised_answers_may_have_several_references() -> None:
    assert check(prompt("normalised", "NYC", references=["New York"]), "New York.")


def test_micro_answers_are_checked_by_the_world() -> None:
    from judge_lightning.micro.world import problem

    question = problem("word", 0)
    asked = Prompt("p", question.text, question.reference, "word", "train", {
        "checker": "micro", "index": 0, "pool": "court",
    })  # fmt: skip

    assert check(asked, f"So the answer is {question.reference}.")
    assert not check(asked, f"So the answer is {question.reference}0.")


def test_every_file_of_the_package_is_a_checker() -> None:
    assert set(CHECKERS) == {
        "exact", "final_number", "micro", "multiple_choice", "none", "normalised", "prompted",
        "unit_tests",
    }  # fmt: skip


def test_an_unknown_checker_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"unknown checker 'guess'; one of \['exact'"):
        check(prompt("guess", "1"), "1")
    with pytest.raises(UserError, match="unknown checker 'guess'"):
        load_checkers().require(["guess"])


def test_answers_to_several_checkers_are_checked_in_order() -> None:
    pairs = [
        (prompt("exact", "a"), "a"),
        (prompt("final_number", "5"), "6"),
        (prompt("none", ""), "?"),
        (prompt("exact", "a"), "b"),
        (prompt("final_number", "5"), "5"),
    ]

    right, wrong, undecided, *others = load_checkers().check_all(pairs)

    assert (right, wrong, others) == (True, False, [False, True])
    assert isinstance(undecided, Failure)
    assert undecided.reason == "cannot be checked"


def test_a_checker_that_throws_gives_a_failure_for_that_answer_alone() -> None:
    broken = Prompt("p", "?", "1", "word", "train", {"checker": "micro", "index": "seven"})

    verdicts = load_checkers().check_all([(broken, "1"), (prompt("exact", "a"), "a")])

    assert isinstance(verdicts[0], Failure)
    assert verdicts[0].reason == "checker failed"
    assert verdicts[0].detail.startswith("ValueError: ")
    assert verdicts[1] is True


def test_a_single_check_that_cannot_decide_raises() -> None:
    with pytest.raises(CheckerError, match="cannot be checked"):
        load_checkers().check(prompt("none", ""), "anything")


def test_a_reference_that_a_checker_cannot_read_is_noticed() -> None:
    assert can_check(prompt("final_number", "#### 5"))
    assert not can_check(prompt("final_number", "five"))
    assert can_check(prompt("prompted", " "))
    assert not can_check(prompt("unit_tests", "def f(): pass"))
    assert can_check(prompt("none", ""))


def test_rules_that_need_more_are_refused_before_work() -> None:
    with pytest.raises(UserError, match=r"mine\.checker_chat"):
        load_checkers().require(["exact", "prompted"])
    with pytest.raises(UserError, match=r"mine\.allow_code"):
        load_checkers().require(["unit_tests"])
