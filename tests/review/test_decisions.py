"""Decisions are on disk at once, survive a kill, and the last one holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge_lightning.court.review import (
    Decision,
    DecisionsFile,
    latest,
    read_decisions,
    read_reviews,
    tuple_id,
)
from judge_lightning.errors import UserError
from tests.review.conftest import Decide, MakeTuple


@given(note=st.text(), start=st.integers(0, 99), length=st.integers(0, 9))
def test_a_line_gives_the_same_decision_back(
    decide: Decide, note: str, start: int, length: int
) -> None:
    span = (start, start + length)
    made = decide("accept" if span == (8, 9) else "move", span=span, note=note)

    assert Decision.from_json(json.loads(made.line())) == made
    assert made.line().isascii() and made.line().count("\n") == 1


def test_a_decision_is_in_the_file_when_append_returns(tmp_path: Path, decide: Decide) -> None:
    with DecisionsFile(tmp_path / "reviews" / "rev1.jsonl") as file:
        file.append(decide())

        assert read_decisions(file.path).decisions == [decide()]


def test_the_last_decision_of_a_reviewer_holds(decide: Decide) -> None:
    assert latest([decide("accept"), decide("reject")]) == [decide("reject")]


def test_a_decision_taken_back_is_none(decide: Decide) -> None:
    assert latest([decide("accept"), decide("undo")]) == []


def test_between_files_the_later_time_holds(decide: Decide) -> None:
    late = decide("reject", time="2026-01-02T01:00:00+02:00")
    early = decide("accept", time="2026-01-01T22:59:00+00:00")

    assert latest([late], [early]) == latest([early], [late]) == [late]


def test_taking_back_reaches_into_an_older_copy(decide: Decide) -> None:
    taken_back = decide("undo", time="2026-01-02T00:00:00+00:00")

    assert latest([decide("accept"), taken_back], [decide("accept")]) == []


@given(cut=st.integers(1, 500))
def test_a_line_cut_short_by_a_kill_is_left_out_and_told(
    tmp_path_factory: pytest.TempPathFactory, decide: Decide, cut: int
) -> None:
    path = tmp_path_factory.mktemp("cut") / "rev1.jsonl"
    line = decide("reject").line()
    path.write_text(decide().line() + line[: cut % (len(line) - 2) + 1], encoding="utf-8")

    log = read_decisions(path)

    assert log.decisions == [decide()]
    assert log.torn


def test_writing_goes_on_after_a_line_cut_short(tmp_path: Path, decide: Decide) -> None:
    path = tmp_path / "rev1.jsonl"
    path.write_text(decide().line() + decide("reject").line()[:30], encoding="utf-8")

    with DecisionsFile(path) as file:
        file.append(decide("skip"))

    assert read_decisions(path).decisions == [decide(), decide("skip")]


def test_a_whole_last_line_without_its_end_is_kept(tmp_path: Path, decide: Decide) -> None:
    path = tmp_path / "rev1.jsonl"
    path.write_text(decide().line().rstrip("\n"), encoding="utf-8")

    with DecisionsFile(path) as file:
        file.append(decide("skip"))

    assert read_decisions(path).decisions == [decide(), decide("skip")]


@pytest.mark.parametrize(
    "content",
    [
        b"my notes, no line end",
        b'{"format":1}\n{"format":1}\n',
        b"\xff\xfe\n",
        b"[1, 2]\n",
        b'{"format":2}\n',
    ],
)
def test_another_kind_of_file_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rev1.jsonl"
    path.write_bytes(content)

    with pytest.raises(UserError, match=r"rev1\.jsonl:1: not a decision"):
        DecisionsFile(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "wrong",
    [
        {"verdict": "perhaps"},
        {"reviewer": "../rev1"},
        {"span": None},
        {"span": [9, 8]},
        {"span": [True, 9]},
        {"span": "8-9"},
        {"proposed": None},
        {"proposed": [7, 9]},
        {"verdict": "move"},
        {"verdict": "reject"},
        {"time": "yesterday"},
        {"time": "2026-01-01T00:00:00"},
        {"tuple_id": ""},
        {"note": 5},
        {"format": "1"},
    ],
)
def test_fields_that_do_not_fit_are_refused(decide: Decide, wrong: dict[str, object]) -> None:
    row = {**json.loads(decide().line()), **wrong}

    with pytest.raises(ValueError, match=r"."):
        Decision.from_json(row)


def test_a_missing_file_of_another_reviewer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such decisions file"):
        read_reviews([tmp_path / "rev2.jsonl"])


def test_a_tuple_keeps_its_name_when_it_is_annotated_anew(make_tuple: MakeTuple) -> None:
    assert tuple_id(make_tuple(mistake=(8, 9))) == tuple_id(make_tuple(mistake=(4, 5)))
    assert tuple_id(make_tuple()) != tuple_id(make_tuple(prompt_id="p2"))
    assert len(tuple_id(make_tuple())) == 20
