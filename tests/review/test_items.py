"""The words on which a reviewer puts a mistake."""

from __future__ import annotations

from itertools import pairwise

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from judge_lightning.court.review.items import characters_of, words, words_of


def _shown(text: str, *marked: tuple[int, int]) -> list[str]:
    return [text[start:end] for start, end in words(text, marked)[:-1]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("get 50 + 12 = 1,064.5.", ["get", "50", "+", "12", "=", "1,064.5", "."]),
        ("it's \n\n done", ["it", "'", "s", "done"]),
        ("答え は42", ["答", "え", "は", "42"]),
        ("हिन्दी नमस्ते", ["हिन्दी", "नमस्ते"]),
        ("so 👩‍👧 = e\u0301t\u00e9", ["so", "👩‍👧", "=", "e\u0301t\u00e9"]),
        ("", []),
    ],
)
def test_words_are_what_people_take_for_words(text: str, expected: list[str]) -> None:
    assert _shown(text) == expected


def test_a_marked_range_is_cut_out_exactly() -> None:
    assert _shown("total: 1234 apples", (9, 11)) == ["total", ":", "12", "34", "apples"]


def test_white_space_alone_can_be_marked() -> None:
    found = words("a \n b", [(1, 4)])

    assert words_of(found, (1, 4)) == (1, 1)
    assert characters_of(found, 1, 1) == (1, 4)


def test_an_empty_range_at_the_end_is_the_end() -> None:
    found = words("a b. ")

    assert found[words_of(found, (5, 5))[0]] == (5, 5)


@given(text=st.text(), data=st.data())
def test_words_are_in_order_and_cover_all_that_can_be_seen(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    marked = (start, data.draw(st.integers(start, len(text))))

    found = words(text, [marked])

    assert found[-1] == (len(text), len(text))
    assert all(a < b for a, b in found[:-1])
    assert all(a[1] <= b[0] for a, b in pairwise(found))
    covered = {place for a, b in found for place in range(a, b)}
    unseen = "".join(text[place] for place in range(len(text)) if place not in covered)
    assert regex.fullmatch(r"\s*", unseen)


@given(text=st.text(min_size=1), data=st.data())
def test_a_range_of_words_names_itself(text: str, data: st.DataObject) -> None:
    found = words(text)
    first = data.draw(st.integers(0, len(found) - 1))
    last = data.draw(st.integers(first, max(first, len(found) - 2)))

    assert words_of(found, characters_of(found, first, last)) == (first, last)
