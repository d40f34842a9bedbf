"""The review page in a real browser: headless Chromium, over the real server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from judge_lightning.court.records import write_records
from judge_lightning.court.review import DecisionsFile, read_decisions, tuple_id
from tests.browser import DESK, PHONE, chromium, needs_chromium
from tests.review.conftest import Decide, MakeTuple, Serve, Served

playwright_api = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed (it is among the dev dependencies)"
)
Browser, Page, expect = playwright_api.Browser, playwright_api.Page, playwright_api.expect

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@dataclass
class Tab:
    """An open page, and what went wrong on it."""

    page: Page
    errors: list[str]
    requests: list[str]

    def open(self, served: Served) -> None:
        self.page.goto(served.address)
        self.shows_tuple()

    def shows_tuple(self) -> None:
        expect(self.page.locator("#tuple")).to_be_visible()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def counts(self, text: str) -> None:
        expect(self.page.locator("#count")).to_have_text(text)

    def prompt(self, text: str) -> None:
        expect(self.page.locator("#prompt")).to_have_text(text)

    @property
    def marked(self) -> str:
        return "".join(self.page.locator("#wrong .marked").all_inner_texts())


@pytest.fixture
def tab(browser: Browser) -> Iterator[Tab]:
    context = browser.new_context(viewport=DESK)
    context.set_default_timeout(15_000)
    tab = Tab(context.new_page(), [], [])
    tab.page.on("pageerror", lambda error: tab.errors.append(str(error)))
    tab.page.on("request", lambda request: tab.requests.append(request.url))
    tab.page.on("dialog", lambda dialog: (tab.errors.append(dialog.message), dialog.dismiss()))
    yield tab
    assert tab.errors == []
    context.close()


def _saved(court_file: Path) -> list[tuple[str, tuple[int, int] | None]]:
    log = read_decisions(court_file.parent / "reviews" / "rev1.jsonl")
    return [(decision.verdict, decision.span) for decision in log.decisions]


def test_a_whole_review_with_a_reload_and_a_killed_server(
    tab: Tab, court_file: Path, serve: Serve
) -> None:
    with serve(court_file) as served:
        tab.open(served)
        tab.prompt("What is sum 2?")
        tab.counts("0 of 3 decided")
        assert tab.marked == "8"
        tab.press("a")
        tab.counts("1 of 3 decided")
        tab.prompt("What is sum 1?")

        tab.press("ArrowLeft", "Shift+ArrowRight")
        assert tab.marked == "= 5"
        tab.page.reload()
        tab.shows_tuple()
        tab.counts("1 of 3 decided")
        tab.prompt("What is sum 1?")
        assert tab.marked == "= 5", "what was not yet decided survives a reload, too"
        assert _saved(court_file) == [("accept", (8, 9))]

        port = served.port
        served.kill()
        tab.press("a")
        expect(tab.page.get_by_role("alert")).to_contain_text("nothing is being saved")
        tab.counts("1 of 3 decided")
    with serve(court_file, port=port):
        expect(tab.page.get_by_role("alert")).to_be_hidden()
        assert tab.marked == "= 5"
        tab.press("a")
        tab.counts("2 of 3 decided")
        tab.prompt("What is sum 3?")
        tab.press("r")
        expect(tab.page.locator("#done")).to_be_visible()
        tab.press("u")
        tab.shows_tuple()
        tab.press("s")
        expect(tab.page.locator("#verdicts")).to_have_text("1 accepted1 moved1 skipped")

    assert _saved(court_file) == [
        ("accept", (8, 9)), ("move", (6, 9)), ("reject", None), ("undo", None), ("skip", None),
    ]  # fmt: skip


def test_the_mistake_moves_with_keys(tab: Tab, served: Served) -> None:
    tab.open(served)

    marks = []
    for key in ("ArrowRight", "ArrowLeft", "Shift+ArrowRight", "Shift+ArrowLeft", "e", "Escape"):
        tab.press(key)
        marks.append(tab.marked)

    assert marks == [".", "8", "8.", "8", "end", "8"]
    expect(tab.page.locator("#moved")).to_have_text("(as proposed)")


def test_the_mistake_stays_within_the_answer(tab: Tab, served: Served) -> None:
    tab.open(served)

    tab.press(*["ArrowLeft"] * 12)
    assert tab.marked == "3"
    tab.press(*["Shift+ArrowRight"] * 12)
    assert tab.marked == "3 + 4 = 8. So 8."
    tab.press("Escape", *["ArrowRight"] * 12)
    assert tab.marked == "end"
    tab.press("ArrowLeft")
    assert tab.marked == "."


def test_the_mistake_moves_with_the_mouse(tab: Tab, served: Served) -> None:
    tab.open(served)
    words = tab.page.locator("#wrong .word")

    words.nth(0).click()
    assert tab.marked == "3"
    words.nth(2).click(modifiers=["Shift"])
    assert tab.marked == "3 + 4"
    start, end = words.nth(6).bounding_box(), words.nth(3).bounding_box()
    assert start and end
    tab.page.mouse.move(start["x"] + 3, start["y"] + 5)
    tab.page.mouse.down()
    tab.page.mouse.move(end["x"] + 3, end["y"] + 5, steps=4)
    tab.page.mouse.up()
    assert tab.marked == "= 8. So"


def test_a_reviewer_can_look_back_and_change_a_decision(
    tab: Tab, court_file: Path, served: Served
) -> None:
    tab.open(served)
    tab.press("a")
    tab.prompt("What is sum 1?")
    tab.press("p")
    tab.prompt("What is sum 2?")
    expect(tab.page.locator("#decided")).to_have_text("You accepted this one.")

    tab.press("r")

    tab.prompt("What is sum 1?")
    tab.counts("1 of 3 decided")
    assert _saved(court_file) == [("accept", (8, 9)), ("reject", None)]


def test_keys_in_a_note_are_letters(tab: Tab, court_file: Path, served: Served) -> None:
    tab.open(served)

    tab.press("c")
    tab.page.keyboard.type("bar ?")
    tab.press("Escape", "a")

    tab.counts("1 of 3 decided")
    [made] = read_decisions(court_file.parent / "reviews" / "rev1.jsonl").decisions
    assert made.note == "bar ?"


def test_a_held_key_decides_once(tab: Tab, court_file: Path, served: Served) -> None:
    tab.open(served)

    for _ in range(5):
        tab.page.keyboard.down("a")

    tab.counts("1 of 3 decided")
    assert len(_saved(court_file)) == 1


def test_agreement_is_visible(
    tab: Tab, court_file: Path, serve: Serve, make_tuple: MakeTuple, decide: Decide
) -> None:
    doubtful = make_tuple("3 + 4 = 8. So 8.", prompt_id="p2")
    with DecisionsFile(court_file.parent / "rev2.jsonl") as file:
        file.append(decide("move", "rev2", tuple_id=tuple_id(doubtful)))

    with serve(court_file, "--with", str(file.path)) as served:
        tab.open(served)
        expect(tab.page.locator("#agreement")).to_have_text("rev2: no tuple in common yet")
        tab.press("a")
        expect(tab.page.locator("#agreement")).to_contain_text("rev2: 0 of 1 decisions the same")
        tab.press("p")
        expect(tab.page.locator("#decided")).to_contain_text("rev2 moved it: “4”.")


HOSTILE = (
    "<img src=x onerror=alert(1)><script>alert(2)</script> &amp; \u202e drow \x00\x1b[31m ¤"
    " </p></main> javascript:alert(3) 👩‍👧 = 5."
)


def test_hostile_text_is_shown_as_text(
    tab: Tab, tmp_path: Path, serve: Serve, make_tuple: MakeTuple
) -> None:
    place = HOSTILE.index("5")
    labelled = make_tuple(HOSTILE, (place, place + 1), prompt_id=HOSTILE, correct=HOSTILE)
    path = tmp_path / "tuples.jsonl"
    write_records(path, [labelled])
    line = path.read_text(encoding="utf-8")
    # Half a surrogate pair, which no tokenizer gives, but a file can hold.
    path.write_text(line.replace("¤", "\\ud800"), encoding="utf-8")

    with serve(path) as served:
        tab.open(served)
        for place_of_text in ("#correct", "#wrong"):
            text = tab.page.locator(place_of_text).inner_text()
            assert "<img src=x onerror=alert(1)><script>alert(2)</script> &amp;" in text
            for sign in ("U+202E", "U+0000", "U+001B", "U+D800"):
                assert sign in text
        assert tab.page.locator("main img, main script").count() == 0
        assert tab.marked == "5"
        tab.press("ArrowLeft", "a")
        expect(tab.page.locator("#done")).to_be_visible()
        assert all(url.startswith(f"http://127.0.0.1:{served.port}/") for url in tab.requests)

    [made] = read_decisions(tmp_path / "reviews" / "rev1.jsonl").decisions
    assert made.span is not None
    assert HOSTILE[slice(*made.span)] == "="


def test_in_text_from_right_to_left_the_left_arrow_leads_on(
    tab: Tab, tmp_path: Path, serve: Serve, make_tuple: MakeTuple
) -> None:
    write_records(tmp_path / "t.jsonl", [make_tuple("שתיים ועוד שתיים", (6, 10))])

    with serve(tmp_path / "t.jsonl") as served:
        tab.open(served)
        assert tab.marked == "ועוד"
        tab.press("ArrowRight")
        assert (
            tab.page.locator("#wrong .word")
            .nth(0)
            .evaluate("word => word.classList.contains('marked')")
        )


def test_on_a_phone_nothing_is_cut_off_and_fingers_can_do_all(
    browser: Browser, court_file: Path, served: Served
) -> None:
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    tab = Tab(context.new_page(), [], [])
    tab.open(served)
    width = tab.page.evaluate("document.documentElement.scrollWidth")

    tab.page.locator("#wrong .word").nth(2).tap()
    tab.page.get_by_role("button", name="Make the mistake one word longer").tap()
    marked = tab.marked
    tab.page.get_by_role("button", name="Accept").tap()
    tab.counts("1 of 3 decided")

    assert width == PHONE["width"]
    assert marked == "4 ="
    assert _saved(court_file) == [("move", (4, 7))]
    for button in tab.page.locator("footer button").all():
        box = button.bounding_box()
        assert box and box["height"] >= 40
    context.close()


def test_everything_has_a_name_for_those_who_do_not_see_it(tab: Tab, served: Served) -> None:
    tab.open(served)

    for role, name in (
        ("progressbar", "Tuples decided"),
        ("group", "Wrong answer"),
        ("group", "Move the mistake"),
        ("textbox", "Note"),
        ("list", "Decisions so far"),
        ("button", "Reject"),
        ("button", "Undo"),
    ):
        assert tab.page.get_by_role(role, name=name).count() == 1, name
    tab.press("?")
    expect(tab.page.get_by_role("dialog", name="Is this the first mistake?")).to_be_visible()
    tab.press("Escape")
    expect(tab.page.get_by_role("dialog")).to_be_hidden()


def test_without_the_token_the_page_says_what_to_do(tab: Tab, served: Served) -> None:
    tab.page.goto(served.address.partition("#")[0])

    expect(tab.page.get_by_role("alert")).to_contain_text("address that the terminal printed")
    tab.press("a", "u", "ArrowLeft", "p")
    expect(tab.page.locator("#tuple")).to_be_hidden()
