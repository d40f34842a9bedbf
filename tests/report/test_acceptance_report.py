"""The report of texts that the target was offered: a page, a summary and a table that agree."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evals.scored_text import JUDGE_FILE, ScoredAnswer, score_file, write_scores
from evals.text_examples import show_text, write_text_examples
from judge_lightning.court.records import IGNORED
from pipelines.config import (
    AcceptanceConfig,
    AnnotateConfig,
    ModelConfig,
    PairConfig,
    RunConfig,
    TextConfig,
)
from pipelines.manifest import FileEntry, Manifest
from pipelines.report.acceptance import AcceptanceIdentity, AcceptanceMaterial, read_acceptance
from pipelines.report.acceptance_page import render_acceptance_terminal
from pipelines.report.acceptance_section import share
from pipelines.report.html import render_html
from pipelines.report.material import Material
from pipelines.report.terminal import WIDTH
from pipelines.stage import QuietRecorder, StageContext
from pipelines.stages import report

QUESTION = "How many <b>apples</b>?"
TEXTS = {
    "paraphrase": TextConfig(kind="paraphrase"),
    "draft": TextConfig(kind="drafter"),
}
IDENTITY = AcceptanceIdentity(
    {"paraphrase": "right answers in the draft's dialect", "draft": "answers of draft"}, 4, "oracle"
)


def answers(text: str, *, judged: bool = True) -> list[ScoredAnswer]:
    """Twelve answers of 20 tokens: every fourth is rejected, the judge keeps half of those; in
    each draft one token is a mistake, which is rejected, and the rest unknown."""
    rows = []
    for number in range(12):
        ranks = [1 if place % 4 else 2 + place for place in range(20)]
        labels = [1] * 20
        if text == "draft":
            labels = [1] * 12 + [0] + [IGNORED] * 7
        judge = [0.9 if place % 8 else 0.1 for place in range(20)]
        rows.append(
            ScoredAnswer(
                text,
                f"word:{number}",
                0,
                list(range(20)),
                ranks,
                [0.5] * 20,
                labels,
                judge if judged else None,
            )
        )
    return rows


def write_artifact(folder: Path, *, judged: bool = True, labelled: bool = True) -> Path:
    folder.mkdir(parents=True)
    for text in TEXTS:
        rows = answers(text, judged=judged)
        if not labelled:
            rows = [replace(row, labels=[IGNORED] * 20) for row in rows]
        write_scores(score_file(folder, text, 0), rows[:8])
        write_scores(score_file(folder, text, 1), rows[8:])
    threshold = 0.5 if judged else None
    judge = {"threshold": threshold, "layer": 5 if judged else None}
    (folder / JUDGE_FILE).write_text(json.dumps(judge))
    rows = [answers(text, judged=judged)[0] for text in TEXTS]
    shown = (show_text(row, QUESTION, threshold, _decode) for row in rows)
    write_text_examples(folder / "examples.jsonl", shown)
    manifest = Manifest(
        stage="acceptance",
        key="a" * 64,
        version=1,
        settings={"texts": sorted(TEXTS)},
        inputs={},
        files={"scores": FileEntry(1000, "0" * 64)},
        metrics={},
        timings={"seconds": 3.25},
        origin={"cpus": 2, "platform": "Linux"},
    )
    (folder / "manifest.json").write_text(json.dumps(manifest.to_json()))
    return folder


def _decode(ids: list[int]) -> str:
    return "".join(f" <i>{token}" for token in ids)


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    return write_artifact(tmp_path / "acceptance")


@pytest.fixture
def texts(artifact: Path) -> AcceptanceMaterial:
    return read_acceptance(IDENTITY, artifact)


@pytest.fixture
def config() -> RunConfig:
    return RunConfig(
        exp="acceptance_analysis",
        pipeline="acceptance",
        pair=PairConfig("micro", ModelConfig("micro:target"), ModelConfig("micro:draft")),
        annotate=AnnotateConfig("oracle"),
        acceptance=AcceptanceConfig("micro", dict(TEXTS), draft_length=4),
    )


@pytest.fixture
def made(config: RunConfig, artifact: Path, tmp_path: Path) -> Path:
    """The folder that the report stage has written, without any artifact of decoding."""
    work = tmp_path / "report"
    work.mkdir()
    report.STAGE.run(StageContext(config, {"acceptance": artifact}, work, QuietRecorder()))
    return work


def summary_of(made: Path) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((made / "summary.json").read_text())
    return summary


def test_a_run_without_decoding_has_its_own_report(made: Path) -> None:
    summary = summary_of(made)
    assert set(summary) == {"schema", "exp", "pair", "stand_in", "stages", "acceptance"}
    assert summary["stages"] == {"acceptance": {"key": "a" * 64}}
    page = (made / "report.html").read_text()
    assert "How much correct text is rejected" in page
    assert "Decoders" not in page


def test_the_summary_holds_what_was_made_up(made: Path) -> None:
    found = summary_of(made)["acceptance"]
    assert (found["main"], found["threshold"], found["annotator"]) == ("paraphrase", 0.5, "oracle")
    paraphrase, draft = found["texts"]["paraphrase"], found["texts"]["draft"]
    assert paraphrase["standard"]["acceptance"]["value"] == pytest.approx(15 / 20)
    assert paraphrase["correct_rejected"]["value"] == pytest.approx(5 / 20)
    assert paraphrase["rescued"]["value"] == pytest.approx(2 / 5)
    assert paraphrase["mistakes_kept"] is None
    # Of a draft's 4 rejected tokens with a label one is the mistake; the judge keeps it.
    assert draft["rejected_correct"]["value"] == pytest.approx(3 / 4)
    assert draft["mistakes_kept"]["value"] == 1.0
    # A rejection, then runs of three: a rejected first token leaves an empty run.
    assert paraphrase["standard"]["runs"] == {"0": 12, "3": 60}


def test_the_page_and_the_table_say_what_the_summary_says(
    made: Path, texts: AcceptanceMaterial
) -> None:
    page = (made / "report.html").read_text().replace("\u00a0", " ")
    table = (made / "terminal.txt").read_text()
    found = summary_of(made)["acceptance"]["texts"]
    for name, text in found.items():
        for key in ("correct_rejected", "rescued"):
            value = f"{text[key]['value'] * 100:.1f} ± {text[key]['stderr'] * 100:.1f}"
            assert f"{value} %" in page
            assert value in table
        for rule in ("standard", "judge"):
            accepted, run = text[rule]["acceptance"], text[rule]["run"]
            assert f"{accepted['value'] * 100:.1f} ± {accepted['stderr'] * 100:.1f} %" in page
            assert f"{run['value']:.2f} ± {run['stderr']:.2f}" in page
            assert f"{text[rule]['accepted_per_cycle']['value']:.2f}" in page
        assert share(texts.texts[name].rejected_correct) in page
    assert "rejects 25.0 % of the correct tokens of right answers in the draft" in page
    assert "the judge wins 40.0 % of them back" in page
    assert "12 of 12" in page, "mistakes of the draft that the judge keeps"


def test_the_table_keeps_its_width(texts: AcceptanceMaterial) -> None:
    table = render_acceptance_terminal(texts)
    assert max(len(line) for line in table.splitlines()) <= WIDTH
    assert "…" not in table


def test_the_page_shows_texts_token_by_token_and_escapes_them(made: Path) -> None:
    page = (made / "report.html").read_text()
    assert "How many &lt;b&gt;apples&lt;/b&gt;?" in page
    assert "<i>0" not in page
    assert page.count('class="t target mistake"') + page.count('class="t judge mistake"') == 1
    assert len(re.findall(r'<span class="t judge"', page)) > 2


def test_the_page_asks_no_server_for_anything(made: Path) -> None:
    page = re.sub(r"<script>.*?</script>", "", (made / "report.html").read_text(), flags=re.DOTALL)
    assert not re.findall(r"src=|href=\"(?!#artifact-)", page)
    assert "default-src 'none'" in page


def test_without_a_judge_nothing_is_said_of_one(config: RunConfig, tmp_path: Path) -> None:
    config.acceptance.judge = False
    folder = write_artifact(tmp_path / "unjudged", judged=False)
    work = tmp_path / "report"
    work.mkdir()
    report.STAGE.run(StageContext(config, {"acceptance": folder}, work, QuietRecorder()))
    page = (work / "report.html").read_text()
    assert "With judge" not in page
    assert "won back" not in page.lower()
    assert summary_of(work)["acceptance"]["texts"]["draft"]["judge"] is None


def test_without_labels_nothing_is_said_of_right_and_wrong(tmp_path: Path) -> None:
    folder = write_artifact(tmp_path / "unlabelled", labelled=False)
    found = read_acceptance(replace(IDENTITY, annotator=None), folder)
    table = render_acceptance_terminal(found)
    assert "accepts 75.0 % of the tokens of right answers" in table
    assert "correct" not in table


def test_a_run_that_decodes_has_the_section_among_its_others(
    material: Material, texts: AcceptanceMaterial
) -> None:
    page = render_html(material, texts)
    assert "How much correct text is rejected" in page
    assert "The decoders side by side" in page
    assert "How much correct text is rejected" not in render_html(material)
