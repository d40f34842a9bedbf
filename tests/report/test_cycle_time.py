"""Where the time of a cycle goes: summary and page tell the same numbers, or say that none are."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import altair as alt
import pytest

from evals.cycle_time import PARTS
from evals.generations import Bound, ShardFiles, Timing, read_generations, read_timings, write_rows
from pipelines.report.charts import in_light
from pipelines.report.cycle_time import cycle_section
from pipelines.report.html import render_html
from pipelines.report.material import Material, read_material
from pipelines.report.summary import summarise
from tests.report.conftest import DECODERS, IDENTITY, TIMED, write_speed

DRAFT, VERIFY, JUDGE, OVERHEAD = 0.018, 0.004, 0.0005, 0.0005
"""Seconds of every cycle but the first of an answer, in which a prompt is read."""


def add_parts(folder: Path) -> None:
    """Gives the timings of a made-up artifact parts, and bare passes beside them."""
    cycles = {
        (row.decoder, row.prompt_id): len(row.trace["cycles"])
        for name in DECODERS
        for row in read_generations(folder, name)
        if row.trace
    }
    timings = [
        with_parts(row, cycles.get((row.decoder, row.prompt_id), 0)) for row in read_timings(folder)
    ]
    files = ShardFiles(folder, 0)
    write_rows(files.timings, timings)
    write_rows(files.bounds, [Bound("word-0", 0.017, 0.0036, "eager")])


def with_parts(timing: Timing, cycles: int) -> Timing:
    def seconds(of_one: float) -> list[float]:
        return [10 * of_one, *[of_one] * (cycles - 1)] if cycles else []

    return replace(
        timing,
        cycle_seconds=seconds(DRAFT + VERIFY + JUDGE + OVERHEAD),
        draft_seconds=seconds(DRAFT),
        verify_seconds=seconds(VERIFY),
        judge_seconds=seconds(JUDGE),
    )


@pytest.fixture
def parted(artifacts: dict[str, Path]) -> Material:
    add_parts(artifacts["decode"])
    return read_material(IDENTITY, artifacts)


@pytest.fixture
def parted_stand_in(artifacts: dict[str, Path]) -> Material:
    folder = write_speed(artifacts, differ=0)
    add_parts(folder)
    return read_material(TIMED, {**artifacts, "speed": folder})


def charts_of(page: str) -> list[dict[str, Any]]:
    specs = re.findall(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)
    return [json.loads(spec) for spec in specs]


def rows_of(page: str) -> Sequence[dict[str, Any]]:
    (chart,) = [spec for spec in charts_of(page) if "a cycle by part" in spec["description"]]
    rows: list[dict[str, Any]] = chart["datasets"]["rows"]
    return rows


def test_the_summary_has_the_parts_of_every_speculative_decoder(parted: Material) -> None:
    decode = summarise(parted)["decode"]
    for name in ("exact", "judge"):
        found = decode[name]["cycle_seconds"]
        expected = (DRAFT, VERIFY, JUDGE, OVERHEAD, 0.0206)
        assert tuple(found[part] for part in (*PARTS, "bound")) == pytest.approx(expected)
        assert found["cycles"] > 0
    assert "cycle_seconds" not in decode["target"]


def test_the_page_shows_what_the_summary_says(parted: Material) -> None:
    decode = summarise(parted)["decode"]
    rows = rows_of(render_html(parted))
    assert len(rows) == 2 * len(PARTS)
    for row in rows:
        name = {"Standard speculative": "exact", "Judge decoding": "judge"}[row["decoder"]]
        expected = decode[name]["cycle_seconds"]
        assert row["milliseconds"] == pytest.approx(1000 * expected[row["part"]])
        assert row["bound"] == pytest.approx(1000 * expected["bound"])


def test_a_decoders_parts_stand_side_by_side(parted: Material) -> None:
    rows = [row for row in rows_of(render_html(parted)) if row["decoder"] == "Judge decoding"]
    assert [row["part"] for row in rows] == list(PARTS)
    assert [row["from"] for row in rows] == pytest.approx([0, *[row["to"] for row in rows[:-1]]])
    assert rows[-1]["to"] == pytest.approx(23.0)


def test_a_sentence_reads_it_aloud(parted: Material) -> None:
    section = cycle_section(parted, ["exact", "judge"])
    assert section is not None
    assert section.lead == (
        "Judge decoding: of a cycle's 23.0 ms, 78.3 % is drafting, 17.4 % the target's pass, 2.2 %"
        " the verdict and 2.2 % overhead; its forward passes alone take 20.6 ms, an efficiency of"
        " 0.90."
    )


def test_a_bound_above_the_cycle_is_called_what_it_is(artifacts: dict[str, Path]) -> None:
    add_parts(artifacts["decode"])
    bounds = [Bound("word-0", 0.019, 0.0045, "eager")]
    write_rows(ShardFiles(artifacts["decode"], 0).bounds, bounds)
    section = cycle_section(read_material(IDENTITY, artifacts), ["exact", "judge"])
    assert section is not None
    assert "23.5 ms, no less" in section.lead
    assert "efficiency" not in section.lead


def test_decoders_that_are_not_shown_have_no_bar(parted: Material) -> None:
    section = cycle_section(parted, ["exact"])
    assert section is not None
    assert {row["decoder"] for row in section.chart.rows} == {"Standard speculative"}
    assert section.lead.startswith("Standard speculative: ")


def test_speed_that_was_measured_apart_has_its_cycles_from_there(parted_stand_in: Material) -> None:
    page = render_html(parted_stand_in)
    assert "Where the time of a cycle goes (stand-in)" in page
    assert "the stand-in standin_cpu" in page
    assert rows_of(page)


def test_timings_without_parts_are_one_line(material: Material) -> None:
    page = render_html(material)
    assert "the timings of this run do not tell the parts of a cycle" in page
    assert summarise(material)["decode"]["judge"]["cycle_seconds"] is None


def test_without_bare_passes_the_parts_are_shown_alone(artifacts: dict[str, Path]) -> None:
    add_parts(artifacts["decode"])
    ShardFiles(artifacts["decode"], 0).bounds.unlink()
    section = cycle_section(read_material(IDENTITY, artifacts), ["exact", "judge"])
    assert section is not None
    assert "efficiency" not in section.lead
    assert "bound" not in section.note


def test_the_chart_is_valid_vega_lite_in_the_pages_colours(parted: Material) -> None:
    section = cycle_section(parted, ["exact", "judge"])
    assert section is not None
    alt.Chart.from_dict(dict(section.chart.spec)).to_dict(validate=True)
    assert "var(" not in json.dumps(in_light(section.chart.spec))
