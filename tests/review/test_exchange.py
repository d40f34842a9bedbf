"""Decisions travel to other programs and back."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge_lightning.court.rejects import Rejected
from judge_lightning.court.review import Decision, ReviewItem, review_item
from judge_lightning.court.review.exchange import from_json_lines, to_json_lines
from judge_lightning.court.review.label_studio import (
    LABEL_CONFIG,
    from_label_studio,
    to_label_studio,
)
from tests.review.conftest import Decide, MakeTuple


@pytest.fixture(scope="session")
def item(make_tuple: MakeTuple) -> ReviewItem:
    return review_item(make_tuple(), "What is 2 + 2?", "4")


def _task(item: ReviewItem, *made: Decision) -> dict[str, Any]:
    decisions = {item.id: [replace(decision, tuple_id=item.id) for decision in made]}
    [task] = to_label_studio([item], decisions)
    parsed: dict[str, Any] = json.loads(json.dumps(task))
    return parsed


VERDICTS = st.one_of(
    st.sampled_from([("accept", (8, 9)), ("reject", None), ("skip", None), ("move", (16, 16))]),
    st.tuples(st.just("move"), st.sampled_from([(0, 1), (4, 5), (8, 16), (0, 16)])),
)


@given(verdict=VERDICTS, note=st.text(st.characters(exclude_categories=["Cs"])))
def test_a_decision_comes_back_from_label_studio_as_it_went(
    item: ReviewItem, decide: Decide, verdict: tuple[str, Any], note: str
) -> None:
    made = decide(verdict[0], span=verdict[1], note=note, tuple_id=item.id)

    assert list(from_label_studio([_task(item, made)], "f")) == [made]


@given(verdict=VERDICTS, note=st.text())
def test_a_decision_comes_back_from_json_lines_as_it_went(
    item: ReviewItem, decide: Decide, verdict: tuple[str, Any], note: str
) -> None:
    made = decide(verdict[0], span=verdict[1], note=note, tuple_id=item.id)
    rows = to_json_lines([item], {item.id: [made]})

    lines = [json.dumps(row).encode() + b"\n" for row in rows]

    assert list(from_json_lines(lines, "f")) == [made]
    assert json.loads(lines[0])["wrong"] == item.wrong


def test_a_task_has_the_parts_that_label_studio_reads(item: ReviewItem, decide: Decide) -> None:
    task = _task(item, decide("move"))

    [prediction] = task["predictions"]
    region = prediction["result"][0]
    assert (region["from_name"], region["to_name"], region["type"]) == (
        "mistake",
        "wrong",
        "labels",
    )
    assert region["value"] == {"start": 8, "end": 9, "text": "5", "labels": ["Mistake"]}
    assert (prediction["model_version"], prediction["score"]) == ("proposed", 0.7)
    assert task["annotations"][0]["result"][0]["value"]["start"] == 4
    # Label Studio refuses an author whom it does not know.
    assert "completed_by" not in task["annotations"][0]


def test_every_control_of_a_task_is_in_the_labelling_configuration(
    item: ReviewItem, decide: Decide
) -> None:
    config = ElementTree.fromstring(LABEL_CONFIG)
    objects = {tag.get("name"): tag.get("value") for tag in config.iter("Text")}
    controls = {tag.get("name"): tag for tag in config.iter() if tag.get("toName")}
    values = {tag.get("value") for tag in config.iter() if tag.tag in ("Label", "Choice")}
    task = _task(item, decide("move", note="hm"), decide("reject"), decide("move", span=(16, 16)))

    assert all(value and value[1:] in task["data"] for value in objects.values())
    for annotation in [*task["annotations"], *task["predictions"]]:
        for part in annotation["result"]:
            assert controls[part["from_name"]].get("toName") == part["to_name"]
            assert controls[part["from_name"]].tag.lower() == part["type"]
            kinds = [*part["value"].get("labels", []), *part["value"].get("choices", [])]
            assert set(kinds) <= values


def _annotated_in_label_studio(item: ReviewItem) -> dict[str, Any]:
    """As the program exports it: its own ids, an author by number, no reviewer field."""
    region = {
        "id": "Dx_aB91ISN",
        "from_name": "mistake",
        "to_name": "wrong",
        "type": "labels",
        "origin": "manual",
        "value": {"start": 4, "end": 5, "text": "2", "labels": ["Mistake"]},
    }
    task = _task(item)
    task["id"] = 17
    task["annotations"] = [
        {
            "id": 1001,
            "completed_by": 3,
            "result": [region],
            "was_cancelled": False,
            "ground_truth": False,
            "created_at": "2026-03-09T22:16:08.728353Z",
            "updated_at": "2026-03-09T22:17:00.000000Z",
            "lead_time": 4.3,
        }
    ]
    return task


def test_an_annotation_made_in_label_studio_is_a_decision(item: ReviewItem) -> None:
    [made] = from_label_studio([_annotated_in_label_studio(item)], "f")

    assert isinstance(made, Decision)
    assert (made.verdict, made.span, made.proposed) == ("move", (4, 5), (8, 9))
    assert (made.reviewer, made.time) == ("3", "2026-03-09T22:17:00.000000Z")


def test_of_several_regions_the_first_is_the_mistake(item: ReviewItem) -> None:
    task = _annotated_in_label_studio(item)
    later = copy.deepcopy(task["annotations"][0]["result"][0])
    later["value"] |= {"start": 14, "end": 15, "text": "5"}
    task["annotations"][0]["result"].insert(0, later)

    [made] = from_label_studio([task], "f", reviewer="rev1")

    assert isinstance(made, Decision)
    assert (made.span, made.reviewer) == ((4, 5), "rev1")


def test_an_author_is_named_by_e_mail(item: ReviewItem) -> None:
    task = _annotated_in_label_studio(item)
    task["annotations"][0]["completed_by"] = {"id": 3, "email": "rev1@example.org"}

    [made] = from_label_studio([task], "f")

    assert isinstance(made, Decision)
    assert made.reviewer == "rev1@example.org"


@pytest.mark.parametrize(
    "damage",
    [
        lambda task: task["annotations"][0]["result"].clear(),
        lambda task: task["annotations"][0]["result"][0]["value"].update(end=99),
        lambda task: task["annotations"][0]["result"][0]["value"].update(text="seven"),
        lambda task: task["annotations"][0]["result"][0]["value"].update(start="4"),
        lambda task: task["annotations"][0].update(completed_by="../../etc"),
        lambda task: task["annotations"][0].update(updated_at="yesterday"),
        lambda task: task["annotations"].__setitem__(0, None),
        lambda task: task["data"].update(wrong="another text"),
        lambda task: task["data"].pop("tuple_id"),
        lambda task: task.pop("data"),
    ],
)
def test_an_annotation_that_cannot_be_used_is_kept_aside(item: ReviewItem, damage: Any) -> None:
    task = _annotated_in_label_studio(item)
    damage(task)

    [rejected] = from_label_studio([task], "tasks.json")

    assert isinstance(rejected, Rejected)
    assert rejected.place == "tasks.json, task 1"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"not json", "not JSON"),
        (b"\xff", "not UTF-8"),
        (b"[]", "not a decision"),
        (b"7", "not a decision"),
        (b"{}", "not a decision"),
        (b'{"decisions": 3}', "not a decision"),
        (b'{"decisions": [{}]}', "not a decision"),
    ],
)
def test_a_line_that_cannot_be_used_is_kept_aside(line: bytes, reason: str) -> None:
    [rejected] = from_json_lines([b"\n", line], "f")

    assert isinstance(rejected, Rejected)
    assert (rejected.place, rejected.reason) == ("f:2", reason)
