"""Tokens on a page: every character can be seen and none does anything."""

from __future__ import annotations

import pytest

from pipelines.report.token_text import direction, token_markup


@pytest.mark.parametrize(
    ("text", "space", "markup"),
    [
        ("word", "", "word"),
        (" word", " ", "word"),
        ("   word", "   ", "word"),
        (" ", "", '<i class="white">␣</i>'),
        (".\n", "", '.<i class="white">↵</i>\n'),
        (
            "\n\n",
            "",
            '<i class="white">↵</i>\n<i class="white">↵</i>\n',
        ),
        ("\tx", "", '<i class="white">⇥</i>\tx'),
        ("\u00a0", "", '<i class="sign">U+00A0</i>'),
        ("", "", ""),
    ],
)
def test_white_space_stays_and_can_be_pointed_at(text: str, space: str, markup: str) -> None:
    assert token_markup(text) == (space, markup)


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("<b>&\"'", "&lt;b&gt;&amp;&#34;&#39;"),
        ("a\x00b", 'a<i class="sign">U+0000</i>b'),
        ("a\x1b", 'a<i class="sign">U+001B</i>'),
        ("a\rb", 'a<i class="sign">U+000D</i>b'),
        ("a\x7f", 'a<i class="sign">U+007F</i>'),
        ("\u202ea", '<i class="sign">U+202E</i>a'),
        ("\u200b", '<i class="sign">U+200B</i>'),
        ("a\u2028", 'a<i class="sign">U+2028</i>'),
        ("\ud800", '<i class="sign">U+D800</i>'),
        ("\U000e0041", '<i class="sign">U+E0041</i>'),
    ],
)
def test_what_is_hidden_or_does_something_is_a_sign(text: str, markup: str) -> None:
    assert token_markup(text) == ("", markup)


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("\u0301", "\u25cc\u0301"),
        ("\ufe0f", '<i class="sign">U+FE0F</i>'),
        ("\u200d", '<i class="sign">U+200D</i>'),
        ("e\u0301", "e\u0301"),
        ("\u0645\u06cc\u200c", "\u0645\u06cc\u200c"),
    ],
)
def test_a_mark_alone_gets_something_to_stand_on(text: str, markup: str) -> None:
    assert token_markup(text) == ("", markup)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("12 apples", "ltr"), ("12 תפוחים", "rtl"), ("(سلام", "rtl"), ("12", "ltr"), ("", "ltr")],
)
def test_the_first_letter_gives_the_direction(text: str, expected: str) -> None:
    assert direction(text) == expected
