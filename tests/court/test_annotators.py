"""Annotators find the first mistake, and speak up only where they are sure."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from judge_lightning.court.annotators import Case, Mistake, annotator_names, load_annotator
from judge_lightning.court.records import Answer, Prompt
from judge_lightning.errors import UserError

PROMPT = Prompt("p", "?", "1", "family", "train", {"checker": "final_number"})


def answer(text: str) -> Answer:
    return Answer("p", "draft", 0, text, [], finished=True, right=False)


def find(annotator: str, prompt: Prompt, text: str) -> Mistake | None:
    (finding,) = load_annotator(annotator)([Case(prompt, answer(text))])
    return finding.mistake


def mistake(text: str) -> str | None:
    found = find("arithmetic", PROMPT, text)
    return None if found is None else text[found.start : found.end]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("She has 16 - 3 = 12 eggs.", "12"),
        ("9 * 2 = $19 a day", "$19"),
        ("It is 16 - 3 - 4 = <<16-3-4=8>>8", "8"),
        ("3 x 4 = 12 and then 12 + 5 = 18.", "18"),
        ("12 red apples + 3 apples = 16 apples", "16"),
        ("(2 + 3) * 4 = 24", "24"),
        ("$1,000 - $250 = $850", "$850"),
    ],
)
def test_arithmetic_marks_the_result_of_the_first_false_equation(text: str, wrong: str) -> None:
    assert mistake(text) == wrong


@pytest.mark.parametrize(
    "text",
    [
        "16 - 3 = 13",
        "10 / 3 = 3.33",
        "20% * 50 = 10",
        "3 + 4 = 7 * 2 = 14",
        "2x + 3 = 19",
        "2S + 3 = 19",
        "4.2 + 9.45 + 1.35 = 14.999999999999998",
        "0900 - 0130 = 0730",
        "12 x 1 and 1/4 = 15",
        "no equation at all",
    ],
)
def test_arithmetic_lets_pass_what_holds_or_may_hold(text: str) -> None:
    assert mistake(text) is None


def test_arithmetic_hardly_ever_blames_a_right_solution_of_a_real_model() -> None:
    folder = Path(os.environ.get("JUDGE_DATA_DIR", Path(__file__).parents[3] / "shared" / "data"))
    path = folder / "gsm8k_model_solutions.jsonl"
    if not path.exists():
        pytest.skip("JUDGE_DATA_DIR holds no gsm8k_model_solutions.jsonl")
    solutions = [
        value
        for line in path.read_text(encoding="utf-8").splitlines()[:200]
        for value in json.loads(line).values()
        if isinstance(value, dict)
    ]

    right = [mistake(s["solution"]) for s in solutions if s["is_correct"]]
    wrong = [mistake(s["solution"]) for s in solutions if not s["is_correct"]]

    assert sum(found is not None for found in right) <= 1
    assert sum(found is not None for found in wrong) >= 5


WORKED = Prompt("p", "Ben has 16 eggs and eats 3.", "16 - 3 = 13. He sells 13 * 2 = 26.", "f", "")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("16 - 3 = 13. 13 * 2 = 26.", None),
        ("2 * 13 = $26", None),
        ("16 - 3 = 12. 12 * 2 = 24.", "12"),
        ("16 + 3 = 19. 19 * 2 = 38.", "19"),
    ],
)
def test_worked_reference_marks_what_the_reference_never_comes_to(
    text: str, wrong: str | None
) -> None:
    found = find("worked_reference", WORKED, text)
    assert (None if found is None else text[found.start : found.end]) == wrong


def test_worked_reference_finds_most_mistakes_of_real_models() -> None:
    folder = Path(os.environ.get("JUDGE_DATA_DIR", Path(__file__).parents[3] / "shared" / "data"))
    solved, worked = folder / "gsm8k_model_solutions.jsonl", folder / "gsm8k_test.jsonl"
    if not (solved.exists() and worked.exists()):
        pytest.skip("JUDGE_DATA_DIR holds no GSM8K files")
    references = {
        row["question"]: row["answer"] for row in map(json.loads, worked.read_text().splitlines())
    }
    flagged: dict[bool, list[bool]] = {True: [], False: []}
    for row in map(json.loads, solved.read_text().splitlines()[:200]):
        prompt = Prompt("p", row["question"], references[row["question"]], "gsm8k", "train")
        for value in row.values():
            if isinstance(value, dict):
                found = find("worked_reference", prompt, value["solution"])
                flagged[value["is_correct"]].append(found is not None)

    assert sum(flagged[False]) / len(flagged[False]) > 0.85
    assert sum(flagged[True]) / len(flagged[True]) < 0.25


def test_the_oracle_marks_the_first_word_that_has_no_place() -> None:
    from judge_lightning.micro.grammar import render
    from judge_lightning.micro.world import problem

    question = problem("word", 0)
    words = render(question.answers, lambda choice: 0)
    prompt = Prompt("p", question.text, question.reference, "word", "train", {
        "checker": "micro", "index": 0, "pool": "court",
    })  # fmt: skip
    text = "".join([*words[:6], " banana", *words[7:]])

    found = find("oracle", prompt, text)

    assert find("oracle", prompt, "".join(words)) is None
    assert found is not None
    assert "banana" in text[found.start : found.end]


def test_an_unknown_annotator_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="arithmetic"):
        load_annotator("intuition")
    assert annotator_names() == ["arithmetic", "oracle", "worked_reference"]
