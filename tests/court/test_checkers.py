"""Answers are checked by the result that they come to."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from judge_lightning.court.checkers import check, chosen_letter, final_number
from judge_lightning.court.records import Prompt


def prompt(checker: str, reference: str) -> Prompt:
    return Prompt("p", "?", reference, "family", "train", {"checker": checker})


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("First 3 + 4 = 7.\n#### 1,234", "1234"),
        ("so \\boxed{42} it is, not 41", "42"),
        ("The answer is $18.50. I had 20 before.", "18.50"),
        ("The answer is: **-7**", "-7"),
        ("She eats 3.\nA: 18", "18"),
        ("That leaves 16 - 3 - 4 = 9 eggs.", "9"),
        ("10-3", "3"),
        ("It is .5", "0.5"),
    ],
)
def test_the_final_number_is_the_marked_one_else_the_last(text: str, number: str) -> None:
    value = final_number(text)

    assert value is not None
    assert str(value.normalize()) == str(type(value)(number).normalize())


def test_a_text_without_numbers_has_no_final_number() -> None:
    assert final_number("I do not know.") is None


def test_numbers_are_compared_by_value() -> None:
    assert check(prompt("final_number", "#### 1,000"), "The answer is 1000.00")


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("The answer is (B).", "B"),
        ("Answer: C", "C"),
        ("\\boxed{D}", "D"),
        ("B", "B"),
        ("A. because it rains", "A"),
        ("The answer is a dog.", None),
    ],
)
def test_a_choice_is_read_from_its_mark(text: str, letter: str | None) -> None:
    assert chosen_letter(text) == letter


def test_exact_answers_may_differ_in_spacing_only() -> None:
    assert check(prompt("exact", "a b"), " a  b\n")
    assert not check(prompt("exact", "a b"), "a c")


def test_micro_answers_are_checked_by_the_world() -> None:
    from judge_lightning.micro.world import problem

    question = problem("word", 0)
    asked = Prompt("p", question.text, question.reference, "word", "train", {
        "checker": "micro", "index": 0, "pool": "court",
    })  # fmt: skip

    assert check(asked, f"So the answer is {question.reference}.")
    assert not check(asked, f"So the answer is {question.reference}0.")


def test_real_solutions_are_judged_as_their_authors_judged_them() -> None:
    folder = Path(os.environ.get("JUDGE_DATA_DIR", Path(__file__).parents[3] / "shared" / "data"))
    path = folder / "gsm8k_model_solutions.jsonl"
    if not path.exists():
        pytest.skip("JUDGE_DATA_DIR holds no gsm8k_model_solutions.jsonl")
    for line in path.read_text(encoding="utf-8").splitlines()[:200]:
        row = json.loads(line)
        asked = prompt("final_number", row["ground_truth"])
        for solution in (value for value in row.values() if isinstance(value, dict)):
            assert check(asked, solution["solution"]) == solution["is_correct"]
