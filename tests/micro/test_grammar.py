"""Grammars: every saying is right, every other word is a mistake at its place."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge_lightning.micro.grammar import (
    Choice,
    count_sayings,
    fill,
    first_mistake,
    parse,
    render,
    split_words,
)

GREETING = "[Hello|Good [day|evening]], {name}[ and all|]."


def say(template: str, seed: int = 0, **values: str | int) -> str:
    rng = random.Random(seed)
    grammar = fill(parse(template), values)
    return "".join(render(grammar, lambda choice: rng.randrange(len(choice.options))))


def test_a_template_counts_its_sayings() -> None:
    assert count_sayings(parse(GREETING)) == 3 * 2


def test_a_blank_before_a_choice_is_carried_by_its_options() -> None:
    (word, choice, full_stop) = parse("We [go|walk away].")
    assert (word, full_stop) == ("We", ".")
    assert isinstance(choice, Choice)
    assert choice.options == ((" go",), (" walk", " away"))


@given(st.integers())
def test_every_saying_of_a_template_is_right(seed: int) -> None:
    text = say(GREETING, seed, name="Ida")
    assert first_mistake(fill(parse(GREETING), {"name": "Ida"}), text) is None


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("Hello, Tom.", (6, 10)),
        ("Good night, Ida.", (4, 10)),
        ("Good day, Ida", (13, 13)),
        ("Good day, Ida. Bye", (14, 18)),
        ("", (0, 0)),
    ],
)
def test_the_first_wrong_word_is_marked(text: str, span: tuple[int, int]) -> None:
    assert first_mistake(fill(parse(GREETING), {"name": "Ida"}), text) == span


@pytest.mark.parametrize("template", ["a [b", "a ]b", "[a|[b]"])
def test_an_unbalanced_template_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match="unmatched"):
        parse(template)


@given(st.text())
def test_words_lose_nothing_of_a_text(text: str) -> None:
    assert "".join(split_words(text)) == text
