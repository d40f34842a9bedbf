"""Annotators are found by name, with options that are checked before work."""

from __future__ import annotations

from typing import Any

import pytest

from judge_lightning.court.annotators import (
    Case,
    annotator_names,
    check_annotator,
    load_annotator,
)
from judge_lightning.court.records import Answer, Prompt
from judge_lightning.errors import UserError


def test_an_unknown_annotator_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="calculator"):
        load_annotator("intuition")


@pytest.mark.parametrize("name", ["calculator", "oracle", "rollout", "swap", "llm"])
def test_every_annotator_is_found_and_takes_its_defaults(name: str) -> None:
    assert name in annotator_names()
    check_annotator(name, {})


@pytest.mark.parametrize("name", ["rollout", "swap", "llm"])
def test_an_annotator_that_needs_models_says_so(name: str) -> None:
    with pytest.raises(UserError, match="needs models"):
        load_annotator(name)


@pytest.mark.parametrize(
    ("name", "options", "field"),
    [
        ("calculator", {"k": 1}, "k"),
        ("rollout", {"rollouts": 1}, "rollouts"),
        ("rollout", {"k": 0}, "k"),
        ("rollout", {"k": 4}, "k"),
        ("rollout", {"k": "four"}, "k"),
        ("rollout", {"k": True}, "k"),
        ("rollout", {"temperature": -1.0}, "temperature"),
        ("rollout", {"checks": -1}, "checks"),
        ("rollout", {"threshold": 0}, "threshold"),
        ("rollout", {"granularity": "words"}, "granularity"),
        ("rollout", {"retractions": "no,"}, "retractions"),
        ("rollout", {"max_new_tokens": 0}, "max_new_tokens"),
        ("swap", {"max_new_tokens": 0}, "max_new_tokens"),
        ("swap", {"retractions": "no,"}, "retractions"),
    ],
)
def test_wrong_options_are_refused_by_name(name: str, options: dict[str, Any], field: str) -> None:
    with pytest.raises(UserError, match=f"annotate.options.{field}"):
        check_annotator(name, options)


def micro_case(text_of: Any) -> Case:
    from judge_lightning.micro.grammar import render
    from judge_lightning.micro.world import problem

    question = problem("word", 0)
    words = render(question.answers, lambda choice: 0)
    prompt = Prompt("p", question.text, question.reference, "word", "train", {
        "checker": "micro", "index": 0, "pool": "court",
    })  # fmt: skip
    return Case(prompt, Answer("p", "draft", 0, text_of(words), [], finished=True, right=False))


def test_the_oracle_marks_the_first_word_that_has_no_place() -> None:
    case = micro_case(lambda words: "".join([*words[:6], " banana", *words[7:]]))
    (found,) = load_annotator("oracle")([case])

    assert found.mistake is not None
    assert "banana" in case.answer.text[found.mistake.start : found.mistake.end]


def test_the_oracle_finds_nothing_in_a_right_answer() -> None:
    (found,) = load_annotator("oracle")([micro_case("".join)])

    assert found.mistake is None
    assert found.decided


def test_the_oracle_refuses_what_is_not_of_the_micro_world() -> None:
    case = Case(Prompt("p", "?", "1", "f", "train"), micro_case("".join).answer)
    with pytest.raises(UserError, match="choose annotate=calculator"):
        load_annotator("oracle")([case])
