"""MT-Bench's questions are read whole or refused, and chosen evenly."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from evals.mt_bench.questions import (
    BenchQuestion,
    choose_questions,
    read_questions,
    temperature_of,
)
from judge_lightning.court.sources.places import read_files
from judge_lightning.errors import UserError

DATA = Path(os.environ.get("JUDGE_DATA_DIR", Path(__file__).parents[3] / "../shared/data"))
REAL = DATA / "mt_bench_questions.jsonl"

ROW: dict[str, Any] = {"question_id": 7, "category": "math", "turns": ["1?", "2?"]}


def read(tmp_path: Path, *rows: Any) -> list[BenchQuestion]:
    path = tmp_path / "questions.jsonl"
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return read_questions(read_files(str(path), "mt_bench.path"))


def test_a_question_has_two_turns_and_a_reference_for_some(tmp_path: Path) -> None:
    assert read(tmp_path, ROW | {"reference": ["one"]}) == [
        BenchQuestion("7", "math", ("1?", "2?"), ("one", ""))
    ]


def test_the_hubs_rows_are_read_too(tmp_path: Path) -> None:
    row = {"prompt_id": 7, "category": "math", "prompt": ["1?", "2?"], "reference": []}
    assert read(tmp_path, row) == [BenchQuestion("7", "math", ("1?", "2?"))]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (ROW | {"turns": ["1?"]}, "has 1 of two turns"),
        (ROW | {"turns": ["1?", " "]}, "has 1 of two turns"),
        (ROW | {"turns": "1?"}, "no list of texts"),
        (ROW | {"turns": ["", "2?"]}, "empty text"),
        ({"question_id": 8}, "field missing"),
        ("{broken", "not JSON"),
    ],
)
def test_a_row_that_is_no_question_is_named(tmp_path: Path, row: Any, problem: str) -> None:
    with pytest.raises(UserError, match=problem) as error:
        read(tmp_path, ROW, row)
    assert error.value.field.endswith("questions.jsonl:2")


def test_an_id_stands_once(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'7' stands twice"):
        read(tmp_path, ROW, ROW)


def test_some_questions_are_spread_over_the_categories(questions: list[BenchQuestion]) -> None:
    assert [one.id for one in choose_questions(questions, count=2)] == ["81", "111"]
    assert [one.id for one in choose_questions(questions, ["math"])] == ["111"]


def test_an_unknown_category_is_refused_with_those_that_there_are(
    questions: list[BenchQuestion],
) -> None:
    with pytest.raises(UserError, match="'maths'") as error:
        choose_questions(questions, ["maths"])
    assert "writing, math, humanities" in error.value.remedy


def test_a_reference_is_shown_where_a_grader_would_be_led_astray(
    questions: list[BenchQuestion],
) -> None:
    writing, math, _ = questions
    assert (writing.reference(1), math.reference(1), math.reference(2)) == ("", "5", "10")


def test_temperatures_are_greedy_or_those_of_the_category(questions: list[BenchQuestion]) -> None:
    assert [temperature_of(one, "greedy") for one in questions] == [0.0, 0.0, 0.0]
    assert [temperature_of(one, "category") for one in questions] == [0.7, 0.0, 0.1]


@pytest.mark.skipif(not REAL.is_file(), reason=f"{REAL} is not here")
def test_the_published_questions_are_eighty_ten_of_each_category() -> None:
    found = read_questions(read_files(str(REAL), "mt_bench.path"))
    assert set(Counter(one.category for one in found).values()) == {10}
    assert len(found) == 80
    assert len({one.category for one in choose_questions(found, count=8)}) == 8
    assert sum(bool(one.reference(1)) for one in found) == 29
