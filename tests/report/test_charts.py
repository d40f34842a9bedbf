"""Charts hold exactly the data that they are given, and are what Vega-Lite understands."""

from __future__ import annotations

import hashlib
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import altair as alt
import pytest
import vl_convert

from pipelines.report import vega_bundle
from pipelines.report.bars import length_bars
from pipelines.report.charts import Axis, Chart, Series, histogram, in_light, line_chart
from pipelines.report.scatter import Dot, scatter_chart

SHARE = Axis("right", 0.0, 1.0, "percent")
LINES = [
    Series("kept", "judge", [(1.0, 0.25), (2.0, 0.5)]),
    Series("rejected", "target", [(1.0, 0.75), (2.0, float("nan"))]),
]


def lines() -> Chart:
    return line_chart("a title", LINES, Axis("layer", 0.0, 3.0, "whole"), SHARE, mark=(1.0, "here"))


def dots() -> Chart:
    points = [
        Dot("judge", 12.0, 0.9, 0.8, 1.0, "best", 1),
        Dot("rule", 4.0, 0.5, 0.4, 0.6, "worse"),
    ]
    return scatter_chart("a title", points, Axis("kept", 0.0, 20.0), SHARE, [(0.99, "target")])


def logarithmic() -> Chart:
    ticks = [(1.0, "one"), (64.0, "many")]
    return line_chart("a title", LINES, Axis("mistakes", 0.5, 128.0, "log", ticks), SHARE)


CHARTS = {
    "lines": lines,
    "logarithmic": logarithmic,
    "histogram": lambda: histogram("a title", [1, 0, 3], "judge", 1.5, 0.9),
    "lengths": lambda: length_bars(
        "a title", {0: 1, 65: 3}, "exact", 40.0, longest=65, of="runs", axis="tokens"
    ),
    "scatter": dots,
}


@pytest.fixture(params=CHARTS)
def chart(request: pytest.FixtureRequest) -> Chart:
    made: Chart = CHARTS[request.param]()
    return made


def drawn_rows(chart: Chart) -> list[dict[str, Any]]:
    """What the reader's browser is told to draw."""
    rows: list[dict[str, Any]] = json.loads(chart.embedded)["datasets"]["rows"]
    return rows


def test_a_chart_is_valid_vega_lite(chart: Chart) -> None:
    alt.Chart.from_dict(dict(chart.spec)).to_dict(validate=True)


def test_a_chart_has_its_title_for_those_who_cannot_see_it(chart: Chart) -> None:
    assert 'aria-label="a title"' in chart.__html__()
    assert json.loads(chart.embedded)["description"] == "a title"


def test_a_chart_can_be_a_picture_without_any_page(chart: Chart) -> None:
    picture = chart.picture(width=300)
    assert ET.fromstring(picture).tag.endswith("svg")
    assert "var(" not in picture


def test_lines_hold_their_points() -> None:
    points = {
        name: [(row["x"], row["y"]) for row in drawn_rows(lines()) if row["name"] == name]
        for name in ("kept", "rejected")
    }
    assert points == {"kept": [(1.0, 0.25), (2.0, 0.5)], "rejected": [(1.0, 0.75), (2.0, None)]}


def test_a_histogram_has_one_bar_per_possible_block_length() -> None:
    rows = drawn_rows(histogram("t", [1, 0, 3], "judge", 1.5, 1.0))
    assert [(row["accepted"], row["share"], row["cycles"]) for row in rows] == [
        (0, 0.25, 1),
        (1, 0.0, 0),
        (2, 0.75, 3),
    ]


def test_lengths_are_grouped_into_few_bars() -> None:
    rows = drawn_rows(CHARTS["lengths"]())
    assert [(row["tokens"], row["count"]) for row in rows if row["count"]] == [
        ("0 to 4", 1),
        ("65 to 69", 3),
    ]
    assert len(rows) == 14


def test_points_off_the_front_are_hollow() -> None:
    best, worse = sorted(drawn_rows(dots()), key=lambda row: row["name"])
    assert (best["fill"], best["number"]) == ("var(--judge)", "1")
    assert (worse["fill"], worse["number"]) == ("var(--card)", None)
    assert worse["colour"] == "var(--rule)"


def test_text_in_a_chart_cannot_end_its_script_element_or_reorder_the_page() -> None:
    hostile = "</script><script>alert(1)</script> \u202e"
    chart = line_chart(hostile, [Series(hostile, "judge", [(0.0, 0.0)])], SHARE, SHARE)
    markup = chart.__html__()
    assert markup.count("</script>") == 1
    assert "alert(1)</script> " not in markup
    assert drawn_rows(chart)[0]["name"] == "</script><script>alert(1)</script> [U+202E]"


def test_every_colour_of_a_chart_is_one_of_the_pages(chart: Chart) -> None:
    assert "var(" in json.dumps(chart.spec)
    assert "var(" not in json.dumps(in_light(chart.spec))


def test_many_points_are_thinned_out_in_the_table_for_readers_without_scripts() -> None:
    points = [(float(n), 0.5) for n in range(1000)]
    chart = line_chart("t", [Series("s", "judge", points)], Axis("x", 0.0, 999.0), SHARE)
    assert len(drawn_rows(chart)) == 1000
    assert 20 <= len(chart.table) <= 40


@pytest.fixture
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a bundle that takes no time."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda: "window.vegaEmbed = 1;")
    vega_bundle.vega_bundle.cache_clear()
    yield tmp_path
    vega_bundle.vega_bundle.cache_clear()


def again() -> str:
    """What the next process gets."""
    vega_bundle.vega_bundle.cache_clear()
    return vega_bundle.vega_bundle()


def test_the_bundle_is_made_once(cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = vega_bundle.vega_bundle()
    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda: pytest.fail("made again"))
    assert again() == made
    [path] = (cache_folder / "judge-lightning").iterdir()
    assert hashlib.sha256(made.encode()).hexdigest()[:16] in path.name


def test_a_damaged_bundle_is_made_again(cache_folder: Path) -> None:
    made = vega_bundle.vega_bundle()
    [path] = (cache_folder / "judge-lightning").iterdir()
    path.write_text(made[:5])
    assert again() == made
    assert path.read_text() == made


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(
    cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cache_folder / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_folder / "file"))
    assert again() == "window.vegaEmbed = 1;"
