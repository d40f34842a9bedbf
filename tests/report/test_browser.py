"""The report in a real browser: headless Chromium, from a file on disk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from evals.decoders import DECODERS
from pipelines.report.again import render_again
from pipelines.report.html import render_html
from pipelines.report.material import read_material
from tests.browser import DESK, PHONE, chromium, needs_chromium
from tests.report.conftest import IDENTITY, PLAIN, write_artifacts
from tests.report.finished_run import finished_run

playwright_api = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed (it is among the dev dependencies)"
)
Browser, Page, expect = playwright_api.Browser, playwright_api.Page, playwright_api.expect

pytestmark = needs_chromium
HOSTILE = (
    "<img src=x onerror=alert(1)><script>alert(2)</script></script><svg onload=alert(3)>"
    " &amp; \u202edrow\u202c \u2067isolated\u2069 \x00\x1b[31m {{ 7 * 7 }} javascript:alert(4)"
    " \" onmouseover=alert(5) ' --></main> <!-- this run --> שלום"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a whole run."""
    root = tmp_path_factory.mktemp("report")
    path = root / "report.html"
    path.write_text(render_again(finished_run(root).folder).page, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run whose prompts, and names, want to do harm."""
    root = tmp_path_factory.mktemp("hostile")
    folders = write_artifacts(root / "artifacts", replace(PLAIN, text=HOSTILE))
    identity = replace(IDENTITY, exp=HOSTILE, pair=HOSTILE)
    path = root / "report.html"
    page = render_html(read_material(identity, folders))
    path.write_text(page, encoding="utf-8")
    return path


@dataclass
class Tab:
    """An open page, and what went wrong on it."""

    page: Page
    wrong: list[str]

    def open(self, path: Path) -> None:
        self.page.goto(path.as_uri())
        self.page.wait_for_function(
            "[...document.querySelectorAll('figure.chart')].every(one => one.dataset.drawn)"
        )

    def count(self, selector: str) -> int:
        return int(self.page.locator(selector).count())

    def colour(self, selector: str, of: str = "fill") -> str:
        return str(self.page.locator(selector).first.evaluate(f"one => getComputedStyle(one).{of}"))

    @property
    def is_as_wide_as_its_window(self) -> bool:
        return bool(self.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def open_tab(browser: Browser, **options: Any) -> tuple[Tab, Any]:
    context = browser.new_context(**{"viewport": DESK, **options})
    context.set_default_timeout(20_000)
    tab = Tab(context.new_page(), [])
    tab.page.on("pageerror", lambda error: tab.wrong.append(f"error {error}"))
    tab.page.on("console", lambda line: tab.wrong.append(f"{line.type} {line.text}"))
    tab.page.on(
        "request",
        lambda request: (
            None if request.url.startswith("file:") else tab.wrong.append(f"asked {request.url}")
        ),
    )
    tab.page.on("dialog", lambda box: (tab.wrong.append(f"ran {box.message}"), box.dismiss()))
    return tab, context


@pytest.fixture
def tab(browser: Browser) -> Iterator[Tab]:
    tab, context = open_tab(browser)
    yield tab
    context.close()
    assert tab.wrong == [], "no error, no warning, no request, no script of others"


def test_every_section_renders_and_every_chart_is_drawn(tab: Tab, report: Path) -> None:
    tab.open(report)
    for heading in (
        "The decoders side by side", "Answers, token by token", "Cycle by cycle",
        "Quality, task by task", "Inside the judge", "The threshold and what it promises",
        "The court", "Where this comes from", "How it was made",
    ):  # fmt: skip
        expect(tab.page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
    charts = tab.page.locator("figure.chart")
    assert charts.count() == 6
    for chart in charts.all():
        assert chart.locator("svg .mark-rect path, svg .mark-symbol path").count() >= 6
        assert chart.get_attribute("aria-label")


def test_bars_are_as_high_as_the_data_says(tab: Tab, report: Path) -> None:
    tab.open(report)
    chart = tab.page.locator("figure.chart[aria-label^='Wrong answers by the place']")
    boxes = [bar.bounding_box() for bar in chart.locator(".mark-rect path").all()]
    heights = [box["height"] for box in boxes if box]
    shares = [height / max(heights) for height in heights]
    assert shares == pytest.approx(
        [n / 60 for n in (5, 60, 50, 40, 30, 30, 20, 20, 20, 10)], abs=0.02
    )


def test_a_chart_tells_its_numbers_when_pointed_at(tab: Tab, report: Path) -> None:
    tab.open(report)
    chart = tab.page.locator("figure.chart[aria-label^='Right and wrong answers']")
    chart.locator(".mark-rect path").first.hover()
    tip = tab.page.locator("#vg-tooltip-element")
    expect(tip).to_have_class(re.compile("visible"))
    expect(tip).to_contain_text("draft")
    curve = tab.page.locator("figure.chart[aria-label^='What each threshold']")
    curve.locator(".drawing").hover(position={"x": 200, "y": 60})
    expect(tip).to_contain_text("threshold")
    assert re.search(r"threshold\s*0\.\d+", tip.inner_text())


def test_a_click_in_the_lineage_opens_the_artifact_and_shows_its_sources(
    tab: Tab, report: Path
) -> None:
    tab.open(report)
    assert tab.count(".lineage details[open]") == 0
    tab.page.locator(".lineage .node[data-stage=dataset]").click()
    opened = tab.page.locator(".lineage details[open]")
    expect(opened).to_have_count(1)
    expect(opened).to_contain_text("Made from prompts, mine, annotate")
    expect(opened).to_contain_text("statistics.json")
    edges = tab.page.locator(".lineage .edge.chosen")
    assert {edge.get_attribute("data-from") for edge in edges.all()} == {
        *("prompts", "mine", "annotate"),
        "dataset",
    }, "what it read, and itself as what others read"
    opened.get_by_role("link", name="annotate").click()
    expect(tab.page.locator(".node.chosen")).to_have_attribute("data-stage", "annotate")


def test_links_in_the_lineage_can_be_reached_with_keys(tab: Tab, report: Path) -> None:
    tab.open(report)
    tab.page.locator(".lineage .node[data-stage=mine]").focus()
    tab.page.keyboard.press("Enter")
    expect(tab.page.locator(".lineage details[open]")).to_have_attribute("data-stage", "mine")


def test_it_follows_the_readers_theme_without_being_opened_again(tab: Tab, report: Path) -> None:
    tab.page.emulate_media(color_scheme="light")
    tab.open(report)
    light = (tab.colour("body", "backgroundColor"), tab.colour("figure .mark-rect path"))
    tab.page.emulate_media(color_scheme="dark")
    dark = (tab.colour("body", "backgroundColor"), tab.colour("figure .mark-rect path"))
    assert light == ("rgb(252, 252, 250)", "rgb(74, 111, 179)")
    assert dark == ("rgb(20, 23, 26)", "rgb(143, 176, 238)")


def test_paper_is_light_whatever_the_readers_theme(tab: Tab, report: Path) -> None:
    tab.page.emulate_media(color_scheme="dark")
    tab.open(report)
    tab.page.emulate_media(media="print", color_scheme="dark")
    assert tab.colour("figure .mark-rect path") == "rgb(74, 111, 179)"
    assert tab.page.pdf().startswith(b"%PDF")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_lies_beside_the_screen(
    scheme: str, browser: Browser, report: Path
) -> None:
    tab, context = open_tab(
        browser, viewport=PHONE, is_mobile=True, has_touch=True, color_scheme=scheme
    )
    tab.open(report)
    assert tab.is_as_wide_as_its_window
    for chart in tab.page.locator("figure.chart svg").all():
        box = chart.bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"]
    tab.page.locator(".lineage .node[data-stage=train]").tap()
    expect(tab.page.locator(".lineage details[open]")).to_have_count(1)
    assert tab.is_as_wide_as_its_window
    assert tab.wrong == []
    context.close()


def test_charts_take_the_width_that_there_is(tab: Tab, report: Path) -> None:
    tab.open(report)
    chart = tab.page.locator("figure.chart svg").first
    wide = chart.bounding_box()
    assert wide
    tab.page.set_viewport_size(PHONE)
    tab.page.wait_for_function(
        "wide => document.querySelector('figure.chart svg').clientWidth !== Math.round(wide)",
        arg=wide["width"],
    )
    assert tab.is_as_wide_as_its_window


def test_without_scripts_charts_are_tables_of_their_numbers(browser: Browser, report: Path) -> None:
    tab, context = open_tab(browser, java_script_enabled=False)
    tab.page.goto(report.as_uri())
    expect(tab.page.get_by_text("Scripts are off")).to_be_visible()
    table = tab.page.locator("figure.chart table").filter(has_text="Right and wrong answers")
    expect(table).to_be_visible()
    expect(table).to_contain_text("draft_small")
    tab.page.locator(".lineage .node[data-stage=mine]").click()
    expect(tab.page.locator("#artifact-mine")).to_be_visible()
    context.close()


def test_hostile_text_is_shown_as_text_and_runs_nothing(tab: Tab, hostile: Path) -> None:
    tab.open(hostile)
    text = tab.page.locator("main").inner_text()
    assert "<img src=x onerror=alert(1)><script>alert(2)</script>" in text
    for sign in ("U+202E", "U+202C", "U+2067", "U+2069", "U+0000", "U+001B"):
        assert sign in text
    assert "{{ 7 * 7 }}" in text
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", tab.page.content())
    assert tab.count("main img, main script:not([type='application/json'])") == 0
    assert tab.count("[onerror], [onload], [onmouseover]") == 0
    assert tab.page.evaluate("document.title").startswith("<img src=x")


def test_a_script_that_got_into_the_page_all_the_same_would_not_run(
    tab: Tab, report: Path, tmp_path: Path
) -> None:
    forged = tmp_path / "forged.html"
    page = report.read_text(encoding="utf-8")
    script = "<script>document.title = 'taken over'</script><img src=x onerror='alert(1)'>"
    forged.write_text(page.replace("</main>", f"{script}</main>"), encoding="utf-8")
    tab.open(forged)
    assert tab.page.evaluate("document.title") != "taken over"
    refused = [line for line in tab.wrong if "Content Security Policy" in line]
    assert len(refused) >= 2
    tab.wrong = [line for line in tab.wrong if line not in refused]


def test_the_decoders_of_the_table_are_all_there(tab: Tab, report: Path) -> None:
    tab.open(report)
    rows = tab.page.locator("table.decoders tbody tr")
    assert rows.count() == len(DECODERS)
    expect(rows.last).to_contain_text("Judge decoding")
