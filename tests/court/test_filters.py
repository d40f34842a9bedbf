"""Length, language, likeness and overlap: what each filter leaves out, and what it must not."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from judge_lightning.court.filters import Candidate, FilterChain, Filters
from judge_lightning.court.near_duplicates import NearDuplicates
from judge_lightning.court.overlap import OverlapIndex, words
from judge_lightning.errors import UserError


def reason(chain: FilterChain, text: str, *, evaluation: bool = False) -> str | None:
    digest = hashlib.sha256(text.encode()).digest()
    found = chain.reason_against(Candidate(text[:9], text, text, digest, evaluation))
    return found[0] if found else None


@pytest.mark.parametrize(
    "text",
    [
        "Wie viele Äpfel hat Anna noch, wenn sie drei davon isst?",
        "¿Cuántas manzanas tiene Ana si se come tres de ellas?",
        "Combien de pommes reste-t-il à Anna après le repas ?",
        "安娜有十二个苹果，她吃了三个，还给了汤姆四个，请问现在她还剩下多少个苹果呢？",
    ],
)
def test_another_language_is_left_out(text: str) -> None:
    assert reason(FilterChain(Filters(languages=["en"])), text) == "other language"
    assert reason(FilterChain(Filters(languages=["de", "es", "fr", "zh"])), text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Hello",
        "Write a haiku",
        "12 * (3 + 4) = ?",
        "x^2 + 3x + 2 = 0, so x = ?",
        "¿Qué?",
        "How many apples does Anna have left if she eats three of them?",
        "Prove that $\\sum_{k=1}^{n} k = \\frac{n(n+1)}{2}$ for every natural number n.",
        "def add(x, y):\n    '''Returns the sum of both numbers.'''\n    return x + y",
        "SELECT name, count(*) FROM users GROUP BY name; what does this query return?",
    ],
)
def test_english_code_formulas_and_short_texts_stay(text: str) -> None:
    assert reason(FilterChain(Filters(languages=["en"])), text) is None


def test_every_language_stays_where_none_is_asked_for() -> None:
    assert reason(FilterChain(Filters()), "Wie viele Äpfel hat Anna noch nach dem Essen?") is None


def test_length_is_counted_in_characters() -> None:
    chain = FilterChain(Filters(minimum_characters=3, maximum_characters=5))

    found = [reason(chain, "x" * length) for length in (2, 3, 5, 6)]

    assert found == ["too short", None, None, "too long"]


LONG = (
    "A baker makes 24 loaves of bread every morning and sells each of them for 3 dollars at the "
    "market. On Sunday she gives 4 loaves to her neighbours. How much does she earn in a week?"
)


@pytest.mark.parametrize(
    ("text", "alike"),
    [
        (LONG.upper(), True),
        (LONG.replace("baker", "farmer"), True),
        (LONG.replace(".", " ;"), True),
        (LONG.replace("baker", "farmer").replace("loaves", "rolls").replace("week", "year"), False),
        ("A baker sells bread.", False),
    ],
)
def test_nearly_the_same_text_is_found(text: str, alike: bool) -> None:
    index = NearDuplicates(0.7)
    assert index.find_or_add("first", LONG) is None

    like = index.find_or_add("second", text)

    assert (like is not None and like.startswith("first (")) == alike


def test_texts_without_words_are_alike_only_when_they_are_the_same() -> None:
    index = NearDuplicates(0.8)

    found = [index.find_or_add(text, text) is not None for text in ("?!", "...", "?!")]

    assert found == [False, False, True]


@pytest.mark.parametrize("other", ["3 - 4 = ?", "3 * 4 = ?", "3 + 5 = ?"])
def test_short_sums_are_not_alike(other: str) -> None:
    index = NearDuplicates(0.8)
    index.find_or_add("sum", "3 + 4 = ?")

    assert index.find_or_add("other", other) is None


def test_of_near_duplicates_the_most_similar_is_named() -> None:
    index = NearDuplicates(0.3)
    index.find_or_add("other", LONG.replace("loaves", "rolls").replace("market", "fair"))
    index.find_or_add("twin", LONG.replace("baker", "farmer"), always_add=True)

    like = index.find_or_add("new", LONG)

    assert like is not None
    assert like.startswith("twin (")


def test_a_shared_run_of_words_is_an_overlap_whatever_stands_around_it() -> None:
    index = OverlapIndex(5)
    index.add("One two three four five six.")

    assert index.find("So: TWO, three; four five SIX - seven") == "two three four five six"
    assert index.find("two three four and five six") is None


def test_a_held_out_prompt_shorter_than_the_run_counts_as_a_whole() -> None:
    index = OverlapIndex(6)
    index.add("How old is Anna?")
    index.add("Why?")

    assert index.find("Tell me: how old is Anna today?") == "how old is anna"
    assert index.find("How old is Berta? Why?") is None


def test_scripts_without_spaces_have_a_word_for_every_character() -> None:
    assert words("Tom有3个苹果") == ["tom", "有", "3", "个", "苹", "果"]


def test_nothing_overlaps_before_something_is_held_out() -> None:
    chain = FilterChain(Filters(ngram=3))
    first = reason(chain, "one two three four")
    chain.hold_out("Zero one two three")

    assert first is None
    assert reason(chain, "one two three five") == "overlaps with evaluation"
    assert reason(chain, "one two three six", evaluation=True) is None


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"minimum_characters": -1}, "minimum_characters"),
        ({"minimum_characters": 9, "maximum_characters": 8}, "maximum_characters"),
        ({"near_duplicates": 0.99}, "near_duplicates"),
        ({"near_duplicates": -0.1}, "near_duplicates"),
        ({"ngram": 1}, "ngram"),
        ({"languages": ["english"]}, "languages"),
        ({"decontaminate": ["nowhere"]}, "decontaminate"),
        ({"decontaminate": ["court"]}, "decontaminate"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(UserError) as error:
        Filters(**settings).validate({"court": None, "test": "eval"})

    assert error.value.field == f"data.filters.{field}"


@pytest.mark.parametrize("similarity", [0.3, 0.5, 0.8, 0.95])
def test_every_similarity_that_may_be_asked_for_has_an_index(similarity: float) -> None:
    Filters(near_duplicates=similarity).validate({})
    index = NearDuplicates(similarity)

    assert index.find_or_add("a", LONG) is None
    assert index.find_or_add("b", LONG) == "a (1.00)"
