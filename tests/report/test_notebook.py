"""What notebooks show: other people's text stays text, and nothing depends on colour alone."""

from __future__ import annotations

from typing import Any

import pytest
from IPython import display

from pipelines.report.notebook import COLOURS, Piece, coloured, colours, quoted, say, table


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The Markdown and HTML that was displayed."""
    texts: list[str] = []

    def take(what: Any) -> None:
        texts.append(what.data)

    monkeypatch.setattr(display, "display", take)
    return texts


def test_a_paragraph_is_shown_without_its_indentation(shown: list[str]) -> None:
    say(
        """
        - one
          and more
        - two
        """
    )
    assert shown == ["- one\n  and more\n- two"]


def test_a_table_aligns_numbers_and_groups_their_digits(shown: list[str]) -> None:
    table(["rule", "tokens"], [["exact", 12345], ["judge", "1.5 %"]])
    assert shown == ["| rule | tokens |\n| --- | ---: |\n| exact | 12,345 |\n| judge | 1.5 % |"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", "`<script>alert(1)</script>`"),
        ("a `b` | c", "`a 'b' │ c`"),
        ("one\n\n# two", "`one # two`"),
        ("\u202eback", "`[U+202E]back`"),
        ("  ", "*(nothing)*"),
    ],
)
def test_quoted_text_stays_within_its_code_span(text: str, shown: str) -> None:
    assert quoted(text) == shown


def test_coloured_text_is_escaped(shown: list[str]) -> None:
    piece = Piece("<b>&\u202e", "judge", note='"><img src=x>')
    coloured([piece], {})
    assert "<b>" not in shown[0]
    assert "&lt;b&gt;&amp;[U+202E]" in shown[0]
    assert "<img" not in shown[0]


def test_text_that_was_taken_back_is_struck_out_and_keeps_its_lines(shown: list[str]) -> None:
    coloured([Piece("one\n\ntwo", "mistake", struck=True)], {"mistake": "rejected"})
    assert "<del>one<br><br>two</del>" in shown[0]
    assert "\n" not in shown[0]
    assert "rejected" in shown[0]


def test_a_colour_scale_gives_categories_the_colours_of_their_names() -> None:
    scale = colours("judge", exact="standard").to_dict()
    assert scale == {
        "domain": ["judge", "exact"],
        "range": [COLOURS["judge"], COLOURS["standard"]],
    }
