"""A row of each data set becomes a prompt, whether it has the Hub's shape or the original's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from judge_lightning.court.checkers import check
from judge_lightning.court.records import Prompt
from judge_lightning.court.sources import Source
from judge_lightning.court.sources.formats import Item, RowError, format_names, load_format

ROOT = Path(__file__).parents[2]


def read(name: str, row: dict[str, Any], **settings: Any) -> Item:
    item: Item = load_format(name).read_row(row, Source("s", name, "f", path="x", **settings))
    return item


def test_every_format_says_whose_data_it_reads_or_that_it_is_the_users() -> None:
    known = {name for name in format_names() if hasattr(load_format(name), "ABOUT")}

    assert set(format_names()) - known == {"jsonl", "text"}
    assert all(load_format(name).ABOUT.licence for name in known)


@pytest.mark.parametrize("field", ["answer", "ground_truth"])
def test_gsm8k_has_the_worked_answer_as_reference(field: str) -> None:
    item = read("gsm8k", {"question": "How many?", field: "1+1=<<1+1=2>>2\n#### 2"})

    assert (item.text, item.checker) == ("How many?", "final_number")
    assert check(Prompt("", "", item.reference, "", "", {"checker": item.checker}), "It is 2")


ARC_ROWS = [
    {
        "question": "What melts?",
        "choices": {"text": ["ice", "rock", "air"], "label": ["1", "2", "3"]},
        "answerKey": "2",
    },
    {
        "question": {
            "stem": "What melts?",
            "choices": [
                {"text": "ice", "label": "A"},
                {"text": "rock", "label": "B"},
                {"text": "air", "label": "C"},
            ],
        },
        "answerKey": "B",
    },
]


@pytest.mark.parametrize("row", ARC_ROWS, ids=["hub, numbered", "original"])
def test_arc_options_are_lettered_and_the_letter_is_the_reference(row: dict[str, Any]) -> None:
    item = read("arc", row)

    assert item.text.startswith("What melts?\n\nA. ice\nB. rock\nC. air\n")
    assert (item.reference, item.checker) == ("B", "multiple_choice")
    assert item.meta["choices"] == ["ice", "rock", "air"]


MMLU_ROWS = [
    {"question": "1+1?", "choices": ["1", "2", "3", "4"], "answer": 1, "subject": "algebra"},
    {"question": "1+1?", "A": "1", "B": "2", "C": "3", "D": "4", "answer": "B"},
]


@pytest.mark.parametrize("row", MMLU_ROWS, ids=["hub", "original"])
def test_mmlu_reads_a_number_and_a_letter_as_the_right_option(row: dict[str, Any]) -> None:
    item = read("mmlu", row)

    assert (item.reference, item.meta["choices"]) == ("B", ["1", "2", "3", "4"])
    assert item.meta.get("category") == row.get("subject")


def test_an_instruction_that_all_rows_share_is_no_content() -> None:
    item = read("mmlu", MMLU_ROWS[0])

    assert "letter" in item.text
    assert "letter" not in item.content


def test_alpaca_puts_the_input_behind_the_instruction() -> None:
    item = read("alpaca", {"instruction": "Add up.", "input": "1, 2", "output": "3"})
    bare = read("alpaca", {"instruction": "Add up.", "input": "", "output": ""})

    assert (item.text, item.reference, item.checker) == ("Add up.\n\n1, 2", "3", "prompted")
    assert (bare.text, bare.reference) == ("Add up.", "")


def test_humaneval_has_the_whole_function_as_reference() -> None:
    row = {
        "task_id": "HumanEval/0",
        "prompt": 'def f(x):\n    """Doubles."""\n',
        "canonical_solution": "    return 2 * x\n",
        "test": "def check(candidate):\n    assert candidate(2) == 4\n",
        "entry_point": "f",
    }

    item = read("humaneval", row)

    defined: dict[str, Any] = {}
    exec(item.reference + "\n" + item.meta["test"], defined)
    defined["check"](defined[item.meta["entry_point"]])
    assert row["prompt"].strip() in item.text
    assert item.meta["context"] == row["prompt"]


MBPP_ROWS: list[dict[str, Any]] = [
    {
        "task_id": 1,
        "text": "Square a number.",
        "code": "def sq(x):\n    return x * x",
        "test_setup_code": "import math",
        "test_list": ["assert math.isclose(float(sq(2)), 4)", "assert sq(3) == 9"],
    },
    {
        "task_id": 1,
        "prompt": "Square a number.",
        "code": "def sq(x):\n    return x * x",
        "test_imports": ["import math"],
        "test_list": ["assert set([sq(2)]) == {4}", "assert math.isclose(sq(3), 9)"],
    },
]


@pytest.mark.parametrize("row", MBPP_ROWS, ids=["full", "sanitized"])
def test_mbpp_tests_are_a_program_that_runs_behind_the_reference(row: dict[str, Any]) -> None:
    item = read("mbpp", row)

    exec(item.reference + "\n" + item.meta["test"], {})
    assert item.meta["entry_point"] == "sq"
    assert all(assertion in item.text for assertion in row["test_list"])


@pytest.mark.parametrize("field", ["turns", "prompt"])
def test_mt_bench_asks_the_first_turn_and_keeps_the_others(field: str) -> None:
    item = read("mt_bench", {field: ["Who?", "And why?"], "category": "qa", "reference": ["Me"]})

    assert (item.text, item.reference, item.checker) == ("Who?", "Me", "prompted")
    assert item.meta == {"turns": ["Who?", "And why?"], "category": "qa"}


def test_plain_text_with_a_title_is_a_summary_to_be_written() -> None:
    item = read("text", {"title": "Oak", "text": "An oak is a tree.\n\nHistory\n\nLong."})

    assert item.text.endswith("summary about: Oak")
    assert item.reference == "An oak is a tree."


def test_plain_text_without_a_title_is_to_be_continued() -> None:
    beginning = "The oak, which grows to a height of 30.5 m, is a tree."
    item = read("text", {"text": f"{beginning} It has acorns. They are eaten."})

    assert item.text.endswith(f"\n\n{beginning}")
    assert item.reference == "It has acorns. They are eaten."


def test_own_prompts_have_fields_of_any_name() -> None:
    item = read("jsonl", {"q": "1+1?", "a": 2}, prompt_field="q", reference_field="a")

    assert (item.text, item.reference, item.checker) == ("1+1?", "2", "final_number")


@pytest.mark.parametrize("checker", ["none", "prompted"])
def test_own_prompts_need_no_reference_where_the_checker_needs_none(checker: str) -> None:
    assert read("jsonl", {"prompt": "Hello"}, checker=checker).reference == ""


HOSTILE = [None, True, 7, "", " ", [], {}, [None], [[]], {"text": 1}, "\x00", "Z" * 99, -1, 1e400]


def rows_of_every_kind() -> Iterator[dict[str, Any]]:
    good: list[dict[str, Any]] = [
        *ARC_ROWS,
        *MMLU_ROWS,
        *MBPP_ROWS,
        {"question": "q", "answer": "#### 1"},
        {"prompt": "p", "reference": "1"},
        {"turns": ["a"], "reference": ["b"]},
        {"instruction": "i", "input": "j", "output": "k"},
        {"title": "t", "text": "u"},
        {"prompt": "p", "canonical_solution": "c", "test": "t", "entry_point": "e"},
    ]
    for row in good:
        for name in row:
            yield {key: value for key, value in row.items() if key != name}
            yield from (row | {name: value} for value in HOSTILE)


@pytest.mark.parametrize("name", sorted(set(format_names()) - {"micro"}))
def test_a_row_of_another_shape_is_refused_and_never_breaks_a_format(name: str) -> None:
    for row in rows_of_every_kind():
        try:
            item = read(name, row)
        except RowError as error:
            assert re.fullmatch(r"[a-z ]+", error.reason)
        else:
            assert item.text.strip()
            assert isinstance(item.reference, str)
