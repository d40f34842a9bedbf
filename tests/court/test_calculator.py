"""The calculator marks what is certainly wrong first, and speaks up only where it is sure."""

from __future__ import annotations

import pytest

from judge_lightning.court.annotators import Case, Finding, load_annotator
from judge_lightning.court.records import Answer, Prompt

BARE = Prompt("p", "What comes out?", "1", "family", "train", {"checker": "final_number"})
EGGS = Prompt(
    "p",
    "Ben's 5 hens lay 16 eggs. He eats 3, bakes with 4 and sells the rest at $2 each to 30 people.",
    "He sells 16 - 3 - 4 = <<16-3-4=9>>9 eggs.\nHe makes 9 * 2 = $<<9*2=18>>18.\n#### 18",
    "eggs",
    "train",
    {"checker": "final_number"},
)


def find(prompt: Prompt, text: str, *, right: bool = False) -> Finding:
    answer = Answer("p", "draft", 0, text, [], finished=True, right=right)
    (finding,) = load_annotator("calculator")([Case(prompt, answer)])
    return finding


def marked(prompt: Prompt, text: str, *, right: bool = False) -> str | None:
    mistake = find(prompt, text, right=right).mistake
    return None if mistake is None else text[mistake.start : mistake.end]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("She has 16 - 3 = 12 eggs.", "12"),
        ("9 * 2 = $19 a day", "$19"),
        ("It is 16 - 3 - 4 = <<16-3-4=8>>8", "8>>8"),
        ("It is 16 - 3 - 4 = <<16-3-4=9>>8", "9>>8"),
        ("3 x 4 = 12 and then 12 + 5 = 18.", "18"),
        ("12 red apples + 3 apples = 16 apples", "16"),
        ("(2 + 3) * 4 = 24", "24"),
        ("$10 - $2 = $9", "$9"),
        ("It costs $5 x 4 = $<<5=5>>5", "5"),
    ],
)
def test_a_false_equation_is_marked_at_its_result(text: str, wrong: str) -> None:
    numbers = Prompt("p", f"{text} 5 9 16", "1", "family", "train")
    assert marked(numbers, text) == wrong


@pytest.mark.parametrize(
    "text",
    [
        "16 - 3 = 13",
        "10 / 3 = 3.33",
        "20% * 50 = 10",
        "3 + 4 = 7 * 2 = 14",
        "2x + 3 = 15",
        "2S + 3 = 15",
        "4.2 + 9.45 + 1.35 = 14.999999999999998",
        "0900 - 0130 = 0730",
        "12 x 1 and 1/4 = 15",
        "no equation at all",
    ],
)
def test_what_holds_or_may_hold_decides_nothing_without_a_worked_reference(text: str) -> None:
    finding = find(Prompt("p", text, "1", "family", "train"), text)

    assert finding.mistake is None
    assert not finding.decided


@pytest.mark.parametrize(
    "text",
    [
        "16 - 3 - 4 = 9. 9 * 2 = 18.",
        "3 + 4 = 7. 16 - 7 = 9. 2 * 9 = $18.",
        "16 - 3 = 13. 13 - 4 = 9. 9 * 2 = 18.",
        "16 - 3 = 13. 13 * 2 = 26. 4 * 2 = 8. 26 - 8 = 18.",
    ],
)
def test_a_right_answer_may_take_any_way_round(text: str) -> None:
    assert find(EGGS, text, right=True) == Finding(None)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("16 + 3 = 19 eggs. 19 * 2 = 38.", "16 + 3 = 19"),
        ("16 - 3 - 4 = <<16-3-4=9>>9. Then 9 + 2 = <<9+2=11>>11.", "9 + 2 = <<9+2=11>>11"),
        ("3 + 4 = 7. 16 - 7 = 9. 9 * 30 = 270.", "9 * 30 = 270"),
    ],
)
def test_a_step_that_leads_elsewhere_than_the_reference_is_marked_whole(
    text: str, wrong: str
) -> None:
    assert marked(EGGS, text) == wrong


def test_the_same_quantities_used_otherwise_are_a_mistake_though_the_result_turns_up() -> None:
    worked = Prompt("p", "6 and 2, then 4", "6 - 2 = 4. 4 + 4 = 8. 8 + 4 = 12.", "f", "train")
    assert marked(worked, "6 + 2 = 8. 8 + 4 = 12. A: 12.5") == "6 + 2 = 8"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("He sells 16 - 3 - 4 = 9 eggs. He makes 9 * 17 = 153.", "17"),
        ("He sells 27 eggs. 16 - 3 - 4 = 9", "27"),
    ],
)
def test_a_number_from_nowhere_is_marked(text: str, wrong: str) -> None:
    assert marked(EGGS, text) == wrong


def test_an_answer_that_stops_early_is_marked_at_its_end() -> None:
    assert marked(EGGS, "16 - 3 - 4 = <<16-3-4=9>>9 eggs\nA: 9") == "9"
    assert find(EGGS, "16 - 3 - 4 = <<16-3-4=9>>9 eggs\nA: 9").mistake.start > 30  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text",
    [
        "16 - 3 = 13. 13 * 2 = 26.",
        "16 - x = 9. 16 + 3 = 19.",
        "He sells 16 eggs to 30 people.\n16 + 3 = 19.",
        "16 * 1 = 16. 16 + 3 = 19.",
    ],
    ids=["a sum on another way", "an unread equation", "a line without one", "times one"],
)
def test_behind_a_step_that_may_already_be_wrong_nothing_is_marked(text: str) -> None:
    finding = find(EGGS, text)

    assert finding.mistake is None
    assert (finding.decided, finding.note) == (False, "a step is unclear")


def test_a_lucky_answer_is_marked_at_its_false_equation() -> None:
    assert marked(EGGS, "16 - 3 - 4 = 8. It makes $18.", right=True) == "8"


def test_what_was_found_is_explained() -> None:
    mistake = find(EGGS, "16 - 3 = 12").mistake
    assert mistake is not None
    assert mistake.evidence == "16 - 3 = 12, but it is 13"
    assert mistake.confidence > 0.9
