"""The token view in a real browser: filter, legend, and the panel for mouse, keys and fingers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from evals.example_choice import AnswerCounts
from evals.examples import Example
from pipelines.report.page import render_fragment, styles
from pipelines.report.scripts import page_scripts
from pipelines.report.token_view import SCRIPT, token_view
from tests.browser import DESK, PHONE, chromium, needs_chromium
from tests.report.shown_examples import EXAMPLES

playwright_api = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed (it is among the dev dependencies)"
)
Browser, Page, expect = playwright_api.Browser, playwright_api.Page, playwright_api.expect

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    return page_of(EXAMPLES, tmp_path_factory.mktemp("page") / "page.html")


def page_of(examples: Sequence[Example], path: Path) -> str:
    """A page with nothing but the section, under the policy that the report has."""
    view = token_view(examples, {"word": AnswerCounts(200, 90, 5, 1)}, "word")
    section = render_fragment("token_view.html.j2", token_view=view)
    scripts = page_scripts(SCRIPT)
    path.write_text(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{scripts.policy}">'
        f"<style>{styles('report.css', 'token_view.css')}</style></head>"
        f"<body><main>{section}</main>{scripts.__html__()}</body></html>",
        encoding="utf-8",
    )
    return path.as_uri()


def open_page(browser: Browser, address: str, **settings: object) -> tuple[Page, list[str]]:
    context = browser.new_context(**{"viewport": DESK, **settings})
    context.set_default_timeout(15_000)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text))
    page.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: request.url == address or problems.append(request.url))
    page.goto(address)
    return page, problems


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    page, problems = open_page(browser, address)
    yield page
    assert problems == []
    page.context.close()


def shown(page: Page) -> list[str]:
    """The beginnings of the prompts that are to be seen."""
    answers = page.locator("details.answer:visible .gist").all_text_contents()
    return [text.split()[0] for text in answers]


def test_answers_are_filtered_by_what_became_of_them_and_by_family(page: Page) -> None:
    assert shown(page) == ["Tom", "The", "<img", "Turned", "Ours?", "From"]
    for name, expected in (
        ("changed", ["Tom", "<img", "Turned", "Ours?", "From"]),
        ("turned wrong", ["Turned"]),
        ("turned right", ["Ours?"]),
    ):
        page.get_by_role("button", name=name).click()
        assert shown(page) == expected
        expect(page.locator(".shown")).to_have_text(f"{len(expected)} of 6 answers")
    page.get_by_role("button", name="word 3").click()
    assert shown(page) == []
    page.get_by_role("button", name="all 6").click()
    assert shown(page) == ["Tom", "The", "Turned"]


def test_of_many_answers_the_first_are_shown_until_the_others_are_asked_for(
    browser: Browser, tmp_path: Path
) -> None:
    many = [replace(EXAMPLES[0], prompt_id=f"p{number}") for number in range(15)]
    page, problems = open_page(browser, page_of(many, tmp_path / "page.html"))
    assert len(shown(page)) == 12
    page.get_by_role("button", name="show the other 3").click()
    assert len(shown(page)) == 15
    expect(page.locator(".more")).to_be_hidden()
    assert problems == []
    page.context.close()


def test_paper_has_every_answer_that_fits_and_all_of_them_open(
    browser: Browser, tmp_path: Path
) -> None:
    many = [replace(EXAMPLES[0], prompt_id=f"p{number}") for number in range(15)]
    page, problems = open_page(browser, page_of([*many, EXAMPLES[1]], tmp_path / "page.html"))
    page.get_by_role("button", name="changed").click()
    closed = page.locator("details.answer:not([open])").count()
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert shown(page) == ["Tom"] * 15
    assert page.locator("details.answer:visible .tokens:visible").count() == 15
    expect(page.locator(".more")).to_be_hidden()
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert len(shown(page)) == 12
    assert page.locator("details.answer:not([open])").count() == closed > 0
    assert problems == []
    page.context.close()


def test_the_legend_picks_out_the_tokens_of_a_fate(page: Page) -> None:
    tokens = page.locator("details.answer").first.locator(".t")
    opacity = "token => getComputedStyle(token).opacity"
    button = page.locator(".legend button[data-fate=judge]")
    button.click()
    assert [token.evaluate(opacity) for token in tokens.all()[:3]] == ["0.3", "1", "0.3"]
    button.click()
    assert [token.evaluate(opacity) for token in tokens.all()[:3]] == ["1", "1", "1"]


def test_pointing_at_a_token_shows_its_numbers_until_the_pointer_leaves(page: Page) -> None:
    panel = page.locator(".token-panel")
    page.locator(".tokens .t.judge").first.hover()
    expect(panel).to_be_visible()
    for words in (
        "kept by the judge alone", "judge0.81, above 0.50", "target1.23 %, rank 4",
        "draft56.1 %, rank 1", "token 2 of cycle 1: 2 of 4 proposed tokens kept",
    ):  # fmt: skip
        expect(panel).to_contain_text(words)
    page.locator("h2").hover()
    expect(panel).to_be_hidden()


def test_at_a_corrected_place_both_tokens_are_told(page: Page) -> None:
    for place in (".t.corrected", "del"):
        page.locator(f".tokens {place}").first.hover()
        cells = page.locator(".token-panel tr").all()
        assert [cell.all_inner_texts() for cell in (row.locator("td") for row in cells)] == [
            ["gets", "get"],
            ["0.02, not above 0.50", "–"],
            ["below 0.001 %, rank 90", "75 %, rank 1"],
            ["70 %, rank 1", "20 %, rank 2"],
        ]


def test_pointing_at_a_cycles_number_tells_of_the_cycle(page: Page) -> None:
    cycle = page.locator(".cycle").nth(1)
    start = cycle.evaluate("cycle => cycle.getClientRects()[0].toJSON()")
    page.mouse.move(start["x"] + 6, start["y"] + start["height"] / 2)
    expect(page.locator(".token-panel")).to_contain_text("cycle 2: 1 of 1 proposed tokens kept")


def test_the_arrow_keys_lead_from_token_to_token_and_from_cycle_to_cycle(page: Page) -> None:
    page.locator(".tokens").first.focus()
    at = page.locator(".tokens .at")
    for key, text in (
        ("ArrowRight", "First"), ("ArrowRight", "we"), ("ArrowDown", "15"), ("ArrowUp", "First"),
        ("End", "<|end|>"), ("ArrowRight", "<|end|>"), ("ArrowLeft", ".↵"), ("Home", "First"),
    ):  # fmt: skip
        page.keyboard.press(key)
        assert at.text_content() == text or at.text_content() == f"{text}\n"
    expect(page.get_by_role("status").last).to_contain_text("kept by both rules")
    page.keyboard.press("Escape")
    expect(page.locator(".token-panel")).to_be_hidden()


def test_a_finger_opens_and_closes_the_panel_and_nothing_is_cut_off(
    browser: Browser, address: str
) -> None:
    page, problems = open_page(browser, address, viewport=PHONE, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    panel = page.locator(".token-panel")
    page.locator(".tokens .t.judge").first.tap()
    expect(panel).to_contain_text("target1.23 %, rank 4")
    box = panel.bounding_box()
    assert box and box["x"] == 0 and box["y"] + box["height"] == pytest.approx(PHONE["height"])
    page.get_by_role("button", name="Close").tap()
    expect(panel).to_be_hidden()
    assert problems == []
    page.context.close()


def test_hostile_text_is_shown_and_does_nothing(page: Page) -> None:
    page.get_by_role("button", name="open all").click()
    answer = page.locator("details.answer", has_text="<img").first
    answer.locator("del").hover()
    expect(page.locator(".token-panel")).to_contain_text("<script>U+202E")
    assert page.locator("section img, section script").count() == 0
    assert page.locator(".token-panel script").count() == 0


def test_without_scripts_it_is_coloured_text_with_titles(browser: Browser, address: str) -> None:
    page, _ = open_page(browser, address, java_script_enabled=False)
    token = page.locator(".tokens .t.judge").first
    assert "target 1.23 %, rank 4" in (token.get_attribute("title") or "")
    expect(page.locator(".filters").first).to_be_hidden()
    expect(page.locator(".legend")).to_be_visible()
    page.context.close()
