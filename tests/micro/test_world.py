"""The micro world: its problems, checkers and oracle agree with each other."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judge_lightning.errors import UserError
from judge_lightning.micro.code_programs import printed_value
from judge_lightning.micro.corrections import with_mistakes
from judge_lightning.micro.dialects import DIALECTS
from judge_lightning.micro.grammar import Choice, Grammar, count_sayings, render, split_words
from judge_lightning.micro.word_problems import final_number
from judge_lightning.micro.world import FAMILIES, first_mistake, is_right, problem

indices = st.integers(min_value=0, max_value=10**9)
families = st.sampled_from(FAMILIES)


def choices(grammar: Grammar) -> list[Choice]:
    found = [part for part in grammar if isinstance(part, Choice)]
    return found + [c for choice in found for option in choice.options for c in choices(option)]


@given(families, indices, st.sampled_from(sorted(DIALECTS)))
@settings(deadline=None, max_examples=60)
def test_every_saying_in_every_dialect_is_right(family: str, index: int, dialect: str) -> None:
    drawn = problem(family, index)
    answer = "".join(render(drawn.answers, DIALECTS[dialect].chooser(random.Random(index))))
    assert is_right(drawn, answer)
    assert first_mistake(drawn, answer) is None


@given(families, indices)
@settings(deadline=None, max_examples=60)
def test_the_oracle_finds_the_mistake_that_was_made(family: str, index: int) -> None:
    drawn = problem(family, index)
    rng = random.Random(index)
    words = render(drawn.answers, DIALECTS["draft"].chooser(rng))
    said, wrong = with_mistakes(rng, drawn.answers, words, count=3)
    assert len(said) == len(words) + 4 * len(wrong)
    if wrong:
        start = len("".join(said[: min(wrong)]))
        span = (start, start + len(said[min(wrong)]))
        assert first_mistake(drawn, "".join(said)) == span


@given(indices)
@settings(deadline=None, max_examples=30)
def test_a_word_answer_has_the_length_and_the_freedom_of_a_real_one(index: int) -> None:
    drawn = problem("word", index)
    for name in DIALECTS:
        words = render(drawn.answers, DIALECTS[name].chooser(random.Random(index)))
        assert 55 <= len(words) <= 165
    assert count_sayings(drawn.answers) > 1_000_000


@given(indices)
@settings(deadline=None, max_examples=20)
def test_every_sentence_can_be_phrased_in_four_ways_or_more(index: int) -> None:
    found = choices(problem("word", index).answers)
    assert len(found) >= 15
    assert sum(len(choice.options) >= 4 for choice in found) >= 0.8 * len(found)


def test_the_dialects_prefer_different_phrasings() -> None:
    favourites = [
        (DIALECTS["target"].favourite(c), DIALECTS["draft"].favourite(c))
        for index in range(20)
        for c in choices(problem("word", index).answers)
    ]
    differing = sum(target != draft for target, draft in favourites) / len(favourites)
    assert differing > 0.3


def test_a_problem_is_the_same_whenever_it_is_drawn() -> None:
    again = problem("word", 7)
    assert (again.text, again.reference) == (problem("word", 7).text, problem("word", 7).reference)


def test_the_pools_share_no_question() -> None:
    court = {problem(family, i, "court").text for family in FAMILIES for i in range(200)}
    trained = {problem(family, i, "pretrain").text for family in FAMILIES for i in range(200)}
    assert not court & trained


def test_an_unknown_family_is_named_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"unknown micro family 'poem'.*word"):
        problem("poem", 0)


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        ("So the answer is 12.", "12"),
        ("the answer is 3. No: the answer is 4.", "4"),
        ("the answer is 71 — no, 17.", "17"),
        ("12", None),
    ],
)
def test_the_final_number_is_read_off_an_answer(answer: str, number: str | None) -> None:
    assert final_number(answer) == number


@pytest.mark.parametrize(
    ("program", "value"),
    [
        ("x = 5\nx = x * 2\nassert x == 10\nprint(x)", "10"),
        ("n = 7\nn //= 2\nn = -2 + n\nassert not n != 1\nprint(n)", "1"),
        ("x = 5\nassert x == 6\nprint(x)", None),
        ("x = 5", None),
        ("print(y)", None),
        ("x = 5 // 0\nprint(x)", None),
        ("print(", None),
        ("import os\nprint(os)", None),
        ("x = 10 ** 10 ** 10\nprint(x)", None),
        ("x = __import__('os').getpid()\nprint(x)", None),
        ("while True: pass", None),
        ("x = 99\n" + "x = x * x\n" * 40 + "print(x)", None),
    ],
)
def test_a_program_is_evaluated_without_being_run(program: str, value: str | None) -> None:
    assert printed_value(program) == value


def test_words_are_what_the_grammar_says() -> None:
    words = render(problem("code", 1).answers, DIALECTS["target"].favourite)
    assert split_words("".join(words)) == words
