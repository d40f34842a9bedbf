"""A sweep's page in a real browser: headless Chromium, from the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.sweep.writing import write_sweep
from tests.browser import DESK, PHONE, OpenPage, chromium, needs_chromium, opened
from tests.sweep.conftest import summary_of, write_multirun

pytestmark = needs_chromium

ROWS = "table.jobs tbody tr"
LINES = "section.across figure path[aria-roledescription='line mark']"
KEPT = (9.0, 15.0, 10.0, 13.0, 14.0)
"""Draft tokens that the judge keeps, job by job; the second and the last one lose answers."""
BEST = "4"


def job(number: int, kept: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """A job of two axes, one of which is a name."""
    settings = {
        "judge.name": "mlp" if number % 2 else "<b>linear</b>",
        "judge.threshold": 0.1 * (number + 1),
    }
    change = -0.3 if kept > 13.5 else 0.0
    summary = summary_of(0.98 + change, kept, change)
    summary["decode"]["judge"] = {**summary["decode"]["judge"], "speedup": kept / 5}
    return settings, summary


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    failed = {"exp": "some_sweep", "stages": {}, "run": None, "failed": "stage mine failed: x"}
    jobs = [job(number, kept) for number, kept in enumerate(KEPT)]
    folder = write_multirun(tmp_path_factory.mktemp("sweep"), [*jobs, (jobs[0][0], failed)])
    write_sweep(folder)
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def desk(browser: Any, report: Path) -> Iterator[OpenPage]:
    with opened(browser, report, DESK) as page:
        yield page
        assert page.complaints == []
        assert page.requests == [report.as_uri()], "nothing is asked of anybody"


def numbers(page: OpenPage) -> list[str]:
    """The jobs in the order of the table."""
    return [text.split()[0].removesuffix("best") for text in page.texts(f"{ROWS} td:first-child")]


def shown_lines(page: OpenPage) -> int:
    """How many jobs' lines are not faint."""
    return int(page.page.locator(f"{LINES}[opacity='1']").count())


def test_the_verdict_and_the_failed_job_are_on_top(desk: OpenPage) -> None:
    heading = desk.texts("h1")[0]
    assert "mlp" in heading and "13.0 draft tokens" in heading
    assert "stage mine failed: x" in desk.texts("p.warning")[0]


def test_every_picture_is_drawn(desk: OpenPage) -> None:
    assert desk.page.locator("figure.chart svg").count() == 3
    assert desk.page.locator(LINES).count() == len(KEPT), "a line a job"


def test_a_name_that_looks_like_markup_is_text(desk: OpenPage) -> None:
    assert "<b>linear</b>" in desk.texts(f"{ROWS} td:nth-child(2)")
    assert desk.page.locator("svg text", has_text="<b>linear</b>").count() >= 1


def test_the_best_job_comes_first_and_is_marked(desk: OpenPage) -> None:
    assert numbers(desk)[0] == BEST
    assert desk.texts("tr.best .tag") == ["best"]


def test_headings_sort_by_keyboard_and_say_so(desk: OpenPage) -> None:
    kept = desk.page.get_by_role("button", name="Keeps a cycle")
    kept.focus()
    desk.page.keyboard.press("Enter")
    assert numbers(desk) == ["2", "5", "4", "3", "1"], "the largest number first"
    heading = desk.page.locator("th", has=kept)
    assert heading.get_attribute("aria-sort") == "descending"
    desk.page.keyboard.press("Enter")
    assert numbers(desk) == ["1", "3", "4", "5", "2"]
    assert heading.get_attribute("aria-sort") == "ascending"
    desk.page.get_by_role("button", name="judge", exact=True).click()
    assert heading.get_attribute("aria-sort") == "none"
    assert desk.texts(f"{ROWS} td:nth-child(2)")[0] == "<b>linear</b>", "names from A on"


def test_pointing_at_a_row_shows_its_job_alone_in_every_picture(desk: OpenPage) -> None:
    desk.page.mouse.move(0, 0)
    assert shown_lines(desk) == len(KEPT)
    desk.page.locator(f"{ROWS}[data-job='{BEST}']").hover()
    desk.page.locator(f"{LINES}[opacity='0.12']").first.wait_for()
    assert shown_lines(desk) == 1
    desk.page.mouse.move(0, 0)


def test_pointing_at_a_point_shows_its_row(desk: OpenPage) -> None:
    point = desk.page.locator(
        "section.card:not(.across) figure text", has_text=re.compile("^3$")
    ).first
    point.hover(force=True)
    lit = desk.page.locator(f"{ROWS}.lit")
    lit.wait_for()
    assert lit.get_attribute("data-job") == "3"
    desk.page.mouse.move(0, 0)


def test_on_a_phone_nothing_is_wider_than_the_page(browser: Any, report: Path) -> None:
    with opened(browser, report, PHONE) as page:
        assert page.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        assert page.complaints == []
