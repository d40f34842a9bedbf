"""``python -m pipelines.report RUN``: what can be shown is shown, and what is missing is named."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.report.__main__ import main
from pipelines.report.again import render_again
from tests.report.finished_run import FinishedRun, finished_run
from tests.report.test_acceptance_report import write_artifact

TEXTS = {"paraphrase": "right answers, put otherwise", "draft": "answers of the draft"}

HEADINGS = {
    "decode": (
        "The decoders side by side",
        "Cycle by cycle",
        "Where the time of a cycle goes",
    ),
    "evaluate": ("Answers, token by token", "Quality, task by task"),
    "train": ("Inside the judge",),
    "calibrate": ("The threshold and what it promises", "Inside the judge"),
    "mine": (),
    "prompts": (),
}
"""The sections that an artifact alone can tell."""


WHOLE = {name for names in HEADINGS.values() for name in names} | {
    "The court",
    "Where this comes from",
    "How it was made",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    return finished_run(tmp_path_factory.mktemp("finished"))


@pytest.fixture
def run(made: FinishedRun, tmp_path: Path) -> FinishedRun:
    return made.copied_to(tmp_path)


def headings(page: str) -> set[str]:
    return set(re.findall(r"<h2>([^<]*)</h2>", page.partition("</main>")[0]))


def missing(page: str) -> list[str]:
    """The list at the page's top."""
    part = page.partition('<section class="missing"')[2].partition("</section>")[0]
    return re.findall(r"<li[^>]*>([^<]*)</li>", part)


def test_a_finished_run_is_rendered_whole(
    run: FinishedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(run.folder)]) == 0
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert missing(page) == []
    assert headings(page) == WHOLE
    out = capsys.readouterr().out
    assert "Judge decoding is 1.88 times as fast" in " ".join(out.split())
    assert "Standard speculative" in out and "missing" not in out


def test_the_page_has_the_runs_own_command_line_and_cost(run: FinishedRun) -> None:
    page = render_again(run.folder).page
    assert "python -m pipelines.run +exp=quickstart judge.lr=3e-3" in page
    assert "This run took 61 s and at most 2.4 GB of memory; 1 of 9 stages were found" in page
    assert "artifacts_dir: artifacts" in page


@pytest.mark.parametrize("stage", HEADINGS)
def test_an_artifact_that_is_gone_costs_its_own_sections_alone(
    stage: str, run: FinishedRun
) -> None:
    shutil.rmtree(run.artifact(stage))
    page = render_again(run.folder).page
    assert WHOLE - headings(page) == set(HEADINGS[stage])
    assert any(line.startswith(f"{stage}: its artifact") for line in missing(page))
    if HEADINGS[stage]:
        [hidden] = [line for line in missing(page) if line.startswith("Not shown:")]
        shown = hidden.removeprefix("Not shown: ").rstrip(".").split("; ")
        assert set(HEADINGS[stage]) <= set(shown)
    assert not any("the field" in line for line in missing(page)), "the reason is told already"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def drop_field(name: str) -> Callable[[Path], None]:
    def drop(path: Path) -> None:
        row = json.loads(path.read_text())
        rows = row if isinstance(row, list) else [row]
        for one in rows:
            del one[name]
        path.write_text(json.dumps(row))

    return drop


def binary(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")


@pytest.mark.parametrize(
    ("stage", "name", "damage", "line"),
    [
        ("decode", "generations-judge-00000.jsonl", Path.unlink, "is missing"),
        ("decode", "timings-00000.jsonl", cut, "bytes instead of"),
        ("train", "layers.json", drop_field("auroc"), "the field &#39;auroc&#39; is missing"),
        ("calibrate", "judge/judge_config.json", drop_field("threshold"), "&#39;threshold&#39;"),
        ("evaluate", "results.json", binary, "bytes instead of"),
        ("evaluate", "examples.jsonl", cut, "bytes instead of"),
        ("mine", "statistics.json", cut, "mine: statistics.json"),
        ("calibrate", "manifest.json", cut, "calibrate: manifest.json cannot be read"),
    ],
)
def test_a_damaged_or_older_file_is_named_and_the_rest_is_shown(
    stage: str, name: str, damage: Callable[[Path], None], line: str, run: FinishedRun
) -> None:
    damage(run.file(stage, name))
    again = render_again(run.folder)
    assert line in " ".join(missing(again.page))
    assert WHOLE - headings(again.page) <= set(HEADINGS[stage])


def test_an_artifact_from_before_there_were_statistics_is_no_fault(run: FinishedRun) -> None:
    for stage in ("prompts", "mine"):
        run.file(stage, "statistics.json").unlink()
        manifest = run.file(stage, "manifest.json")
        row = json.loads(manifest.read_text())
        del row["files"]["statistics.json"]
        manifest.write_text(json.dumps(row))
    assert missing(render_again(run.folder).page) == []


def test_a_summary_that_cannot_be_read_leaves_the_configuration(run: FinishedRun) -> None:
    cut(run.folder / "summary.json")
    page = render_again(run.folder).page
    assert any(line.startswith("summary.json:") for line in missing(page))
    assert "artifacts_dir: artifacts" in page
    assert "quickstart: what could be read of this run." in page


def test_without_the_reports_own_artifact_the_configuration_says_what_to_show(
    run: FinishedRun,
) -> None:
    shutil.rmtree(run.artifact("report"))
    page = render_again(run.folder).page
    found = " ".join(missing(page))
    assert "report: its artifact eeeeeeee is no longer in" in found
    assert "config.yaml: the report&#39;s settings:" in found, "this one holds two fields alone"
    assert "The court" in headings(page)


def test_a_run_that_was_stopped_says_so(run: FinishedRun) -> None:
    path = run.folder / "summary.json"
    summary = json.loads(path.read_text())
    stages = {name: one for name, one in summary["stages"].items() if name in ("prompts", "mine")}
    stages["decode"] = {"key": "9" * 64, "cached": None, "seconds": None}
    failed = {"exp": "quickstart", "stages": stages, "run": None, "failed": "stage decode: x"}
    path.write_text(json.dumps(failed))
    page = render_again(run.folder).page
    assert "The run: it ended early: stage decode: x." in missing(page)
    assert "decode: the run did not come so far." in missing(page)
    assert {"The court", "Where this comes from"} <= headings(page)


@pytest.mark.parametrize("text", ["null", "[]", '{"stages": 7}', '{"stages": {"mine": null}}', ""])
def test_a_summary_of_another_shape_is_no_reason_to_stop(text: str, run: FinishedRun) -> None:
    (run.folder / "summary.json").write_text(text)
    assert missing(render_again(run.folder).page)


def test_what_is_missing_is_printed_too(
    run: FinishedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(run.artifact("train"))
    assert main([str(run.folder)]) == 0
    assert "missing: train: its artifact 44444444 is no longer in" in capsys.readouterr().out


def test_a_page_that_misses_something_replaces_none(
    run: FinishedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    page, partial = run.folder / "report.html", run.folder / "report-partial.html"
    page.write_text("the whole page")
    shutil.rmtree(run.store)
    assert main([str(run.folder)]) == 0
    assert page.read_text() == "the whole page"
    assert missing(partial.read_text(encoding="utf-8"))
    said = f"results: {partial} (something is missing: report.html stays as it was)"
    assert said in capsys.readouterr().out
    page.unlink()
    assert main([str(run.folder)]) == 0
    assert missing(page.read_text(encoding="utf-8")), "there is none to lose"
    assert f"results: {page}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{root}/nowhere"], "RUN: {root}/nowhere is no folder"),
        (["{root}"], "is no run's folder: it has neither summary.json nor config.yaml"),
        (["{root}/outputs/quickstart"], "give one of its runs, such as"),
        (["{run}", "--artifacts-dir", "{root}/nowhere"], "--artifacts-dir: {root}/nowhere is no"),
        ([], "the following arguments are required: RUN"),
        (["{run}", "--colour"], "unrecognized arguments: --colour"),
    ],
)
def test_a_wrong_command_gets_one_line_and_status_2(
    arguments: list[str], message: str, made: FinishedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"root": made.root, "run": made.folder}
    try:
        status = main([argument.format(**places) for argument in arguments])
    except SystemExit as stopped:
        status = int(str(stopped.code))
    assert status == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message.format(**places) in error


def test_numbers_of_another_kind_are_left_out(run: FinishedRun) -> None:
    path = run.folder / "summary.json"
    summary = json.loads(path.read_text())
    for cost in ({"seconds": "x", "peak_memory": []}, {"seconds": True}, {"seconds": float("inf")}):
        path.write_text(json.dumps(summary | {"run": cost}))
        page = render_again(run.folder).page
        assert "python -m pipelines.run +exp=quickstart" in page
        assert "This run took" not in page


def test_a_report_whose_settings_lack_a_field_costs_what_depends_on_it(run: FinishedRun) -> None:
    drop_setting(run, "draft_length")
    page = render_again(run.folder).page
    assert "the report&#39;s settings: the field &#39;draft_length&#39; is missing." in missing(
        page
    )
    assert {"The court", "Quality, task by task", "Inside the judge"} <= headings(page)


def drop_setting(run: FinishedRun, name: str) -> None:
    path = run.file("report", "manifest.json")
    row = json.loads(path.read_text())
    del row["settings"][name]
    path.write_text(json.dumps(row))


def add_texts(run: FinishedRun) -> None:
    """Makes texts that were offered to the target a part of the run."""
    made = write_artifact(run.root / "texts")
    folder = run.store / "acceptance" / ("a" * 64)
    folder.parent.mkdir()
    made.rename(folder)
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"files": {}}))
    path = run.folder / "summary.json"
    summary = json.loads(path.read_text())
    summary["stages"]["acceptance"] = {"key": "a" * 64, "cached": False, "seconds": 1.0}
    path.write_text(json.dumps(summary))
    path = run.file("report", "manifest.json")
    row = json.loads(path.read_text())
    row["settings"]["acceptance"] = {
        "texts": list(TEXTS.items()), "draft_length": 4, "annotator": "oracle",
    }  # fmt: skip
    path.write_text(json.dumps(row))


def forget_stages(run: FinishedRun, *stages: str) -> None:
    """Makes a run of which these were no part."""
    path = run.folder / "summary.json"
    summary = json.loads(path.read_text())
    for stage in stages:
        del summary["stages"][stage]
        shutil.rmtree(run.store / stage)
    path.write_text(json.dumps(summary))
    path = run.file("report", "manifest.json")
    row = json.loads(path.read_text())
    row["inputs"] = {stage: key for stage, key in row["inputs"].items() if stage not in stages}
    path.write_text(json.dumps(row))


def test_texts_beside_answers_that_are_gone_are_shown_and_the_answers_named(
    run: FinishedRun,
) -> None:
    add_texts(run)
    shutil.rmtree(run.artifact("decode"))
    again = render_again(run.folder)
    assert any(line.startswith("decode: its artifact") for line in missing(again.page))
    shown = {"How much correct text is rejected", "Quality, task by task", "The court"}
    assert shown <= headings(again.page)
    assert "Texts read as drafts" in again.table


def test_of_a_run_of_texts_alone_the_page_says_what_is_missing(run: FinishedRun) -> None:
    add_texts(run)
    forget_stages(run, "decode", "evaluate")
    assert missing(render_again(run.folder).page) == []
    shutil.rmtree(run.artifact("mine"))
    page = render_again(run.folder).page
    assert "tokens offered at a time" in page
    assert any(line.startswith("mine: its artifact") for line in missing(page))


def test_texts_whose_settings_are_gone_are_named(run: FinishedRun) -> None:
    add_texts(run)
    drop_setting(run, "acceptance")
    lines = missing(render_again(run.folder).page)
    assert any(line.startswith("acceptance: the report&#39;s settings, which") for line in lines)
