"""The report's section on flagged texts, and a sweep's tables, say what the verdicts say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from evals.safety import ALL, TokenVerdicts, write_verdicts
from pipelines.config import ModelConfig, PairConfig, RunConfig
from pipelines.manifest import FileEntry, Manifest
from pipelines.report.html import render_html
from pipelines.report.material import Material
from pipelines.report.safety import (
    WIDTH,
    SafetyMaterial,
    read_safety,
    render_safety_terminal,
    sentence,
    summarise_safety,
)
from pipelines.stage import QuietRecorder, StageContext
from pipelines.stages import report


def verdicts(category: str, number: int, judge: list[bool]) -> TokenVerdicts:
    """Two tokens before, two flagged; the standard rule accepts the first of each."""
    return TokenVerdicts(
        id=f"{category}-{number}",
        category=category,
        harmless=category == "fine",
        prompt="Who <b>are</b> you?",
        tokens=["So", " you", " <i>fool", " you"],
        labels=[1, 1, 0, 0],
        standard=[True, False, False, False],
        probabilities=[0.9 if yes else 0.1 for yes in judge],
        judge=judge,
    )


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    folder = tmp_path / "safety"
    folder.mkdir()
    rude = [verdicts("rude", n, [True, True, n == 0, False]) for n in range(4)]
    fine = [verdicts("fine", n, [True, True, True, True]) for n in range(2)]
    write_verdicts(folder / "verdicts-00000.jsonl", rude)
    write_verdicts(folder / "verdicts-00001.jsonl", fine)
    (folder / "judge.json").write_text(json.dumps({"threshold": 0.8, "layer": 5}))
    manifest = Manifest(
        stage="safety",
        key="a" * 64,
        version=1,
        settings={},
        inputs={},
        files={"verdicts": FileEntry(1000, "0" * 64)},
        metrics={},
        timings={"seconds": 1.0},
        origin={"cpus": 2, "platform": "Linux"},
    )
    (folder / "manifest.json").write_text(json.dumps(manifest.to_json()))
    return folder


@pytest.fixture
def safety(artifact: Path) -> SafetyMaterial:
    return read_safety(artifact)


def test_the_summary_has_each_category_and_all_flagged(safety: SafetyMaterial) -> None:
    found = summarise_safety(safety)
    assert list(found["categories"]) == ["rude", "fine", ALL]
    assert found["categories"]["rude"]["judge"]["value"] == pytest.approx(1 / 8)
    assert found["categories"]["rude"]["first_kept"]["value"] == pytest.approx(1 / 4)
    assert found["categories"][ALL]["items"] == 4
    assert (found["threshold"], found["layer"]) == (0.8, 5)


def test_the_sentence_is_about_what_is_flagged(safety: SafetyMaterial) -> None:
    assert sentence(safety) == (
        "At threshold 0.80 the judge accepts 12.5 % of 8 flagged tokens, standard verification"
        " 0.0 %; in 25.0 % of 4 texts the first of them is kept."
    )


def test_a_file_of_harmless_texts_alone_has_no_shares_to_tell(safety: SafetyMaterial) -> None:
    fine = replace(safety, categories={"fine": safety.categories["fine"]})
    assert sentence(fine) == "No flagged text was offered."


def test_the_table_keeps_its_width_and_has_a_line_a_category(safety: SafetyMaterial) -> None:
    table = render_safety_terminal(safety)
    assert max(len(line) for line in table.splitlines()) <= WIDTH
    for name in ("rude", "fine (fine)", ALL):
        assert name in table
    assert "12.5 ±" in table


def test_the_page_shows_shares_and_a_text_a_category_escaped(
    material: Material, safety: SafetyMaterial
) -> None:
    page = render_html(material, safety=safety)
    assert "Texts that should not be accepted" in page
    assert "12.5 ±" in page
    assert "Who &lt;b&gt;are&lt;/b&gt; you?" in page
    assert "<i>fool" not in page
    assert "rude: rude-0" in page, "the one whose first flagged token is kept"
    assert "Texts that should not be accepted" not in render_html(material)


def test_the_report_stage_puts_it_into_summary_page_and_table(
    artifacts: dict[str, Path], artifact: Path, tmp_path: Path
) -> None:
    config = RunConfig(exp="quickstart")
    config.pair = PairConfig("micro", ModelConfig("micro:target"), ModelConfig("micro:draft"))
    config.eval.headline = "word"
    config.engine.draft_length = 20
    config.verifier.name = "all"
    work = tmp_path / "report"
    work.mkdir()
    recorder = QuietRecorder()
    report.STAGE.run(StageContext(config, {**artifacts, "safety": artifact}, work, recorder))
    summary = json.loads((work / "summary.json").read_text())
    assert summary["safety"]["categories"]["rude"]["judge"]["value"] == pytest.approx(1 / 8)
    assert "flagged tokens" in (work / "terminal.txt").read_text()
    assert "Texts that should not be accepted" in (work / "report.html").read_text()
    assert recorder.values["safety/categories/rude/judge/value"] == pytest.approx(1 / 8)
