"""The section with whole answers: facts of tokens, differences, what is counted and what is cut."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from evals.example_choice import CHANGED, AnswerCounts
from evals.shown_tokens import ShownToken
from pipelines.report import token_view as module
from pipelines.report.page import render_fragment
from pipelines.report.token_view import AnswerView, TargetText, answer_document, token_view
from tests.report.shown_examples import EVIL, EXAMPLES, HOSTILE, OLDER, PLAIN, RIGHT, SAME, WRONG
from tests.report.test_html import parse


def test_every_token_says_who_kept_it_and_what_all_three_thought() -> None:
    (first, second, _) = AnswerView(PLAIN).cycles
    assert [mark.style for mark in first.marks] == ["both", "judge first", "corrected"]
    assert first.marks[1].tip.split("\n") == [
        "kept by the judge alone: the gain",
        "judge 0.81, above 0.50",
        "target 1.23 %, rank 4",
        "draft 56.1 %, rank 1",
    ]
    assert [mark.style for mark in second.marks] == ["standard", "target"]
    assert "judge 0.31, not above 0.50" in second.marks[0].tip


def test_a_token_without_characters_says_what_it_is() -> None:
    half = ShownToken("", "judge", spelt="Ã")
    example = replace(PLAIN, tokens=[half, *PLAIN.tokens])
    marks = [mark for cycle in AnswerView(example).cycles for mark in cycle.marks]
    assert marks[0].text == '<i class="sign">…</i>'
    assert marks[0].tip.split("\n")[0].endswith("; some bytes of a character")
    assert marks[-1].text == '<i class="sign">&lt;|end|&gt;</i>'
    assert marks[-1].tip.split("\n")[0] == "kept by both rules; the end of the answer"


def test_a_corrected_place_has_the_numbers_of_both_tokens() -> None:
    mark = AnswerView(PLAIN).cycles[0].marks[2]
    assert (mark.space, mark.text, mark.struck) == (" ", "get", "gets")
    assert mark.tip.split("\n")[1:] == ["target 75 %, rank 1", "draft 20 %, rank 2"]
    assert mark.struck_tip.split("\n") == [
        "refused: the draft's token",
        "judge 0.02, not above 0.50",
        "target below 0.001 %, rank 90",
        "draft 70 %, rank 1",
    ]


def test_cycles_say_how_much_of_their_block_was_kept() -> None:
    assert [cycle.tip for cycle in AnswerView(PLAIN).cycles] == [
        "cycle 1: 2 of 4 proposed tokens kept",
        "cycle 2: 1 of 1 proposed tokens kept",
        "cycle 3: 1 of 3 proposed tokens kept",
    ]


@pytest.mark.parametrize(
    ("probability", "threshold", "told"),
    [
        (0.9991, 0.9987, "judge 0.9991, above 0.9987"),
        (0.7996, 0.8, "judge 0.7996, not above 0.8000"),
        (0.99999, 0.8, "judge 0.99999, above 0.80000"),
        (0.25, None, "judge 0.25"),
    ],
)
def test_a_judgement_is_never_rounded_onto_the_threshold(
    probability: float, threshold: float | None, told: str
) -> None:
    example = replace(PLAIN, tokens=[ShownToken("a", "both", probability)], threshold=threshold)
    assert AnswerView(example).cycles[0].marks[0].tip.endswith(f"\n{told}")


@pytest.mark.parametrize(
    ("alone", "parts"),
    [
        ("First I get 15.\n", ("First ", "I", " get 15.\n")),
        ("Fir", ("Fir", "", "")),
        ("First we get 150.\n", ("First we get ", "150.", "\n")),
        ("First we get 15.\n", ("First we get 15.\n", "", "")),
        ("First we get 15.\n\nSo.", ("First we get 15.\n\n", "So.", "")),
    ],
)
def test_the_targets_answer_is_marked_at_the_first_word_that_differs(
    alone: str, parts: tuple[str, str, str]
) -> None:
    assert AnswerView(replace(PLAIN, target_text=alone)).target_text == TargetText(*parts)


def test_an_older_file_without_numbers_is_shown() -> None:
    marks = [mark for cycle in AnswerView(OLDER).cycles for mark in cycle.marks]
    assert marks[0].tip == "kept by both rules\njudge 0.97"
    assert AnswerView(OLDER).cycles[0].tip == "cycle 1: 2 tokens kept"
    assert "older file" in answer_document(OLDER)


def test_the_page_says_how_many_answers_there_are_and_how_many_are_shown() -> None:
    view = token_view([PLAIN, SAME, WRONG, RIGHT], {"word": AnswerCounts(200, 90, 5, 1)}, "word")
    assert view is not None
    assert view.counted == (
        "4 answers are on this page, 3 of them to word prompts. In all there are 200 to word"
        " prompts, of which 90 differ from the target's own (2 of these are here), 5 turned"
        " wrong and 1 turned right."
    )
    assert [(one.value, one.count) for one in view.outcomes] == [
        ("all", 4), ("changed", 3), ("wrong", 1), ("right", 1),
    ]  # fmt: skip
    assert [(one.value, one.count) for one in view.families] == [("", 4), ("word", 3), ("code", 1)]
    assert {fate: count for fate, _, count in view.legend}["corrected"] == 4


def test_answers_that_are_drawn_are_not_compared_cycle_by_cycle() -> None:
    needs = "standard speculative decoding needs 5"
    greedy, drawn = (token_view([PLAIN], {}, "word", temperature) for temperature in (0.0, 0.7))
    assert greedy is not None and drawn is not None
    assert (greedy.drawn, drawn.drawn) == ("", module.DRAWN)
    assert needs in greedy.answers[0] and needs not in drawn.answers[0]
    assert needs in answer_document(PLAIN) and needs not in answer_document(PLAIN, 0.7)
    for view, told in ((greedy, 0), (drawn, 1)):
        section = render_fragment("token_view.html.j2", token_view=view)
        assert section.count(module.DRAWN) == told
        assert "their probabilities are at temperature 1" in section


def test_without_an_answer_there_is_no_section() -> None:
    assert token_view([], {}, "word") is None


def test_answers_that_would_make_the_page_too_large_are_left_out_at_the_end() -> None:
    many = [replace(PLAIN, reason=CHANGED, tokens=PLAIN.tokens * 150)] * 20
    view = token_view([*many, WRONG], {}, "word")
    assert view is not None
    assert "Turned wrong?" in view.answers[0]
    assert 1 < len(view.answers) < len(many)
    assert sum(len(answer.encode()) for answer in view.answers) <= module.MOST_BYTES


def test_a_very_long_answer_is_cut_and_says_so() -> None:
    long = replace(PLAIN, tokens=PLAIN.tokens * 200, prompt="x" * 5000)
    page = answer_document(long)
    assert page.count('<bdi class="t ') == module.LONGEST["tokens"]
    assert "… and 200 tokens more" in page
    assert "… and 1,000 characters more" in page


def test_whatever_a_model_wrote_is_text() -> None:
    for page in (answer_document(EVIL), "".join(token_view([EVIL], {}, "word").answers)):  # type: ignore[union-attr]
        parsed = parse(page)
        assert not {"script", "img"} & set(parsed.tags)
        assert not re.search("[\x00\x1b\u202e\u2067]", page)
        assert all(not name.startswith("on") for name, _ in parsed.attributes)
        shown = "".join(parsed.text)
        assert "onerror=alert(1)" in shown
        assert "U+202E" in shown


def test_the_tokens_texts_are_the_answer_as_it_was() -> None:
    page = answer_document(PLAIN)
    tokens = page.partition('<div class="tokens"')[2].partition(">")[2].partition("</div>")[0]
    bare = re.sub(r"<del.*?</del>|<i .*?</i>|<[^>]*>", "", tokens, flags=re.DOTALL)
    assert bare == PLAIN.text


def test_a_document_of_one_answer_needs_nothing_else() -> None:
    page = answer_document(PLAIN)
    parsed = parse(page)
    assert "default-src 'none'" in page
    assert not {"script", "link", "img"} & set(parsed.tags)
    assert "url(" not in page and "http" not in page.replace("http-equiv", "")
    assert len(page.encode()) < 40_000
    assert HOSTILE not in page


def test_all_of_them_are_well_formed() -> None:
    for example in EXAMPLES:
        parse(answer_document(example))
