"""The report is one file that asks nobody for anything and trusts no text."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from evals.decoders import ALONE, DECODERS
from pipelines.report.figures import figures
from pipelines.report.html import render_html
from pipelines.report.material import Material
from pipelines.report.summary import summarise
from pipelines.report.terminal import render_terminal
from tests.report.conftest import material_without_judge

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Balance(HTMLParser):
    """Checks that every element is closed, and collects tags, attributes and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parse(page: str) -> Balance:
    parser = Balance()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


def without_scripts(page: str) -> str:
    """The page without what its own, packaged scripts say."""
    return re.sub(r"<script\b.*?</script>", "", page, flags=re.DOTALL)


def test_it_asks_no_server_for_anything(material: Material) -> None:
    page = render_html(material)
    parsed = parse(page)
    assert "default-src 'none'" in page
    assert not {"link", "img", "iframe", "object"} & set(parsed.tags)
    assert not {"src", "xlink:href"} & {name for name, _ in parsed.attributes}
    links = [value or "" for name, value in parsed.attributes if name == "href"]
    assert all(link.startswith("#artifact-") for link in links), "within the page alone"
    rest = without_scripts(page)
    assert "url(" not in rest
    assert not re.search(r"https?://", rest)


def test_its_policy_names_exactly_the_scripts_that_it_carries(material: Material) -> None:
    page = render_html(material)
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = {b64encode(sha256(script.encode()).digest()).decode() for script in scripts}
    policy = page.partition('Content-Security-Policy" content="')[2].partition('"')[0]
    assert set(re.findall(r"sha256-([\w+/=]+)", policy)) == hashes
    assert "vegaEmbed" in "".join(scripts)
    assert "unsafe-eval" not in policy


def test_what_prompts_and_models_wrote_is_escaped(material_of: Callable[..., Material]) -> None:
    page = render_html(material_of(text="<script>alert('x')</script> & more"))
    parse(page)
    assert "alert('x')" not in page
    assert "&lt;script&gt;" in page


def test_what_would_hide_or_reorder_text_is_shown_by_its_number(
    material_of: Callable[..., Material],
) -> None:
    page = render_html(material_of(text="one \u202e two \x1b[31m three"))
    assert "one [U+202E] two [U+001B][31m three" in page


def test_it_is_small_enough_to_send(material: Material) -> None:
    assert len(render_html(material).encode()) < 4_000_000


def test_it_follows_the_readers_theme(material: Material) -> None:
    page = render_html(material)
    assert "prefers-color-scheme: dark" in page
    assert "color-scheme: light dark" in page


def test_every_section_is_there_in_the_order_of_the_story(material: Material) -> None:
    text = " ".join(parse(render_html(material)).text)
    for heading in (
        "The decoders side by side",
        "Answers, token by token",
        "Cycle by cycle",
        "Quality, task by task",
        "Which layer knows",
        "Where to put the threshold",
        "The court",
        "Where this comes from",
        "How it was made",
    ):
        _, found, text = text.partition(heading)
        assert found, f"{heading} is missing, or stands too far up"


def test_a_stand_in_is_named_in_the_headline_tables_caption_and_at_its_speed(
    material: Material, stand_in_material: Material
) -> None:
    page = render_html(stand_in_material)
    parse(page)
    caption = page.partition("<caption>")[2].partition("</caption>")[0]
    assert "stand-in: target is micro:target grown to 8192 wide, 40 of 80 layers" in caption
    assert "Speed of a stand-in" in page
    assert "stand-in: 40 held-out" in render_terminal(stand_in_material)
    for text in (render_html(material), render_terminal(material)):
        assert "stand-in" not in text


def test_every_speed_of_a_stand_in_is_labelled_where_it_stands(timed_material: Material) -> None:
    page, table = render_html(timed_material), render_terminal(timed_material)
    parse(page)
    sources = (
        "speed: stand-in standin_cpu, 10 prompts; quality and accepted per cycle: micro, 40 prompts"
    )
    assert sources in page.partition("<caption>")[2].partition("</caption>")[0]
    assert sources in " ".join(table.split())
    for heading in ("Tokens/s<br>(stand-in)", "Speed-up<br>(stand-in)", "Speed of a stand-in"):
        assert heading in page
    assert "speed of the stand-in <b>standin_cpu</b>" in page
    below_the_names = next(line for line in table.splitlines() if "decoder" in line)
    assert below_the_names.split().count("stand-in") == 2
    for text in (page, table):
        assert "5.00" in text
        assert "wrote the same tokens in all 40 answers" in " ".join(text.split())


def test_failures_are_shown_beside_what_worked(material: Material) -> None:
    text = " ".join(parse(render_html(material)).text)
    assert "What it cost: the target alone is right here, judge decoding is not" in text
    assert "As it comes: the first held-out prompts, not selected" in text


def test_the_same_artifacts_give_the_same_page(material: Material) -> None:
    assert render_html(material) == render_html(material)


SHARES = re.compile(
    r"(decode|families\.\w+)\.\w+\.right(_low|_high|_stderr)?|verdict\.right_change(_stderr)?"
    r"|(evaluate|changes)\..+\.(value|stderr)|court\.mine\.accuracy_\w+"
)
"""Places of ``summary.json`` that hold shares, which the page has in percent."""


def is_rounded(text: str, value: float, place: str) -> bool:
    """Whether a number on the page is the summary's, rounded, on the scale of its place."""
    number = re.sub(r"[^\d.+−-]", "", text.replace("±", "")).replace("−", "-")
    digits = len(number.partition(".")[2])
    scaled = 100 * value if SHARES.fullmatch(place) else value
    return abs(float(number) - scaled) <= 0.51 * 10**-digits


def value_at(summary: Any, place: str) -> float:
    """What ``summary.json`` has at a dotted place."""
    for part in place.split("."):
        summary = summary[part]
    return float(summary)


def test_the_pages_numbers_are_the_summarys(timed_material: Material) -> None:
    page, summary = render_html(timed_material), summarise(timed_material)
    shown = re.findall(r'<data value="([^"]+)" data-of="([^"]+)">([^<]+)</data>', page)
    places = {place for _, place, _ in shown}
    assert {f"decode.{name}.speedup" for name in DECODERS} <= places
    assert {"evaluate.micro_word.judge.value", "verdict.right_change"} <= places
    assert {"court.dataset.tuples", "court.mine.accuracy_draft"} <= places
    for value, place, text in shown:
        assert float(value) == value_at(summary, place), place
        assert is_rounded(text, float(value), place), place


@pytest.mark.parametrize(
    ("text", "value", "place", "rounded"),
    [
        ("97.5 %", 0.975, "decode.target.right", True),
        ("1.0", 0.975, "decode.target.right", False),
        ("−2.5 points", -0.025, "verdict.right_change", True),
        ("−0.0", -0.025, "verdict.right_change", False),
        ("0.9", 0.95, "evaluate.micro_word.judge.value", False),
        ("1.88×", 1.875, "decode.judge.speedup", True),
        ("187.5", 1.875, "decode.judge.speedup", False),
    ],
)
def test_a_number_on_its_own_scale_alone_is_taken_for_the_summarys(
    text: str, value: float, place: str, rounded: bool
) -> None:
    assert is_rounded(text, value, place) is rounded


def test_decoders_that_propose_nothing_have_a_page_without_cycles(
    artifacts: dict[str, Path],
) -> None:
    alone = material_without_judge(artifacts, ALONE)
    page = render_html(alone)
    assert "The decoders side by side" in page
    assert "Cycle by cycle" not in page
    assert "Draft alone" in render_terminal(alone)
    assert set(summarise(alone)["decode"]) == set(ALONE)
    tables = figures(alone, summarise(alone), artifacts["decode"])["tables"]
    assert tables["decode/accepted"]["rows"] == []
