"""The review command line: what it finds, writes, and refuses in one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from judge_lightning.court.dataset.tables import write_table
from judge_lightning.court.records import LabelledTuple, read_records
from judge_lightning.court.review import DecisionsFile, read_decisions, tuple_id
from pipelines.manifest import Provenance
from pipelines.review.__main__ import main
from pipelines.review.court import find_court, read_items
from pipelines.store import ArtifactStore
from tests.review.conftest import Decide, MakeTuple


@pytest.fixture
def run_folder(tmp_path: Path, court_file: Path) -> Path:
    """``outputs/latest`` of a finished run, its tuples and prompts in a store."""
    store = ArtifactStore(tmp_path / "artifacts")
    for stage in ("prompts", "annotate"):
        with store.writer(stage, f"{stage}-key", lambda: None) as writer:
            if stage == "prompts":
                shutil.copy(court_file.parent / "prompts.jsonl", writer.work / "prompts.jsonl")
            else:
                tuples = read_records(court_file, LabelledTuple)
                write_table(writer.work / "tuples-00000.parquet", tuples)
            inputs = {"prompts": "prompts-key"} if stage == "annotate" else {}
            writer.publish(Provenance(1, {}, inputs, {}, {}, {}))
    run = tmp_path / "outputs" / "court" / "now"
    run.mkdir(parents=True)
    summary = {"stages": {"annotate": {"key": "annotate-key"}}}
    (run / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    (run / "config.yaml").write_text("artifacts_dir: artifacts\n", encoding="utf-8")
    latest = tmp_path / "outputs" / "latest"
    latest.symlink_to("court/now")
    return latest


def _review(path: Path, decide: Decide, reviewer: str, **verdicts: str) -> Path:
    with DecisionsFile(path / f"{reviewer}.jsonl") as file:
        for name, verdict in verdicts.items():
            file.append(decide(verdict, reviewer, tuple_id=name))
    return file.path


def _refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert main([str(word) for word in words]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def test_a_run_is_found_from_anywhere_and_keeps_its_reviews(run_folder: Path) -> None:
    place = find_court(run_folder)

    assert place.reviews == run_folder.resolve() / "reviews"
    assert [item.prompt for item in read_items(place, 1)] == ["What is sum 2?"]


def test_an_artifact_is_found_and_nothing_is_written_into_it(run_folder: Path) -> None:
    artifact = run_folder.parent.parent / "artifacts" / "annotate" / "annotate-key"

    place = find_court(artifact)

    assert place.reviews == Path("reviews") / "annotate"
    assert [item.reference for item in read_items(place)] == ["2", "1", "3"]


def test_what_is_no_run_is_one_clear_line(
    tmp_path: Path, run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_folder.resolve()

    assert "is no run" in _refused(capsys, tmp_path / "nothing")
    assert "is no run" in _refused(capsys, tmp_path)
    prompts = tmp_path / "artifacts" / "prompts" / "prompts-key"
    assert "is an artifact of prompts" in _refused(capsys, prompts)
    assert "artifact annotate/annotate is not in" in _refused(
        capsys, run, "--artifacts-dir", tmp_path
    )
    (run / "summary.json").write_text('{"stages": {"mine": {"key": "1"}}}', encoding="utf-8")
    assert "has no annotate stage" in _refused(capsys, run)
    (run / "summary.json").write_text('{"stages": ', encoding="utf-8")
    assert "summary.json: cannot be read" in _refused(capsys, run)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda line: line[:50], "tuples.jsonl:1: not a LabelledTuple record"),
        (lambda line: "", "holds no tuple"),
        (lambda line: line.replace("[8, 9]", "[8, 99]"), "tuple 1: cannot be reviewed"),
        (lambda line: line.replace("[8, 9]", "8"), "tuple 1: cannot be reviewed"),
        (lambda line: line.replace('"draft"', "null"), "tuple 1: cannot be reviewed"),
    ],
)
def test_malformed_tuples_are_one_clear_line(
    court_file: Path, capsys: pytest.CaptureFixture[str], damage: object, message: str
) -> None:
    line = court_file.read_text(encoding="utf-8").splitlines()[0]
    court_file.write_text(damage(line), encoding="utf-8")  # type: ignore[operator]

    assert message in _refused(capsys, court_file)


@pytest.mark.parametrize("name", ["../rev1", "a/b", "", ".hidden", "x" * 41, "a\nb", "c:\\d"])
def test_a_reviewers_name_is_a_plain_one(
    court_file: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert "error: --reviewer:" in _refused(capsys, court_file, "--reviewer", name)


def test_malformed_decisions_are_one_clear_line(
    court_file: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "bad.jsonl").write_text('{"format":1}\n', encoding="utf-8")

    for option in ("--decisions", "--with"):
        assert "bad.jsonl:1: not a decision" in _refused(
            capsys, court_file, option, tmp_path / "bad.jsonl"
        )
    assert "no such decisions file" in _refused(capsys, court_file, "--with", tmp_path / "no")


def test_nothing_disputed_is_one_clear_line(
    court_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "disagree about no tuple" in _refused(capsys, court_file, "--disputed")


def test_merge_prints_the_agreement_and_writes_what_holds(
    tmp_path: Path, decide: Decide, capsys: pytest.CaptureFixture[str]
) -> None:
    rev1 = _review(tmp_path, decide, "rev1", a="accept", b="reject", c="accept", d="skip")
    rev2 = _review(tmp_path, decide, "rev2", a="accept", b="accept", c="move")
    out = tmp_path / "merged.jsonl"

    assert main(["merge", str(rev1), str(rev2), "--out", str(out)]) == 0

    said = capsys.readouterr().out
    assert "rev1, rev2 │ 3" in said
    assert "1 of 3 (33%)" in said
    assert "4 tuples reviewed: 1 keep, 2 disputed, 1 skipped" in said
    assert len(read_decisions(out).decisions) == 7


def test_an_adjudicator_settles_disputes(
    tmp_path: Path, decide: Decide, capsys: pytest.CaptureFixture[str]
) -> None:
    rev1 = _review(tmp_path, decide, "rev1", a="accept", b="reject")
    rev2 = _review(tmp_path, decide, "rev2", a="reject", b="reject")
    rev3 = _review(tmp_path, decide, "rev3", a="move")
    files = [str(rev1), str(rev2), str(rev3)]

    assert main(["merge", *files, "--adjudicator", "rev3"]) == 0
    assert "2 tuples reviewed: 1 keep, 1 reject" in capsys.readouterr().out
    assert "rev4 decided nothing" in _refused(capsys, "merge", *files, "--adjudicator", "rev4")


@pytest.mark.parametrize("form", ["jsonl", "label-studio"])
def test_what_is_exported_is_imported_again(
    run_folder: Path,
    make_tuple: MakeTuple,
    decide: Decide,
    form: str,
) -> None:
    name = tuple_id(make_tuple())
    made = _review(run_folder.resolve() / "reviews", decide, "rev1", **{name: "move"})
    out, back = made.with_name(f"out.{form}"), made.with_name("back.decisions")

    assert main(["export", str(run_folder), "--format", form, "--out", str(out)]) == 0
    assert main(["import", str(out), "--format", form, "--out", str(back)]) == 0

    assert read_decisions(back).decisions == read_decisions(made).decisions
    assert out.with_suffix(".xml").exists() == (form == "label-studio")


def test_what_cannot_be_imported_is_kept_aside_and_named(
    tmp_path: Path, decide: Decide, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(decide().line() + "not json\n", encoding="utf-8")

    assert main(["import", str(source), "--out", str(out), "--reviewer", "rev2"]) == 0

    assert "1 kept aside (1 x not JSON)" in capsys.readouterr().out
    assert [d.reviewer for d in read_decisions(out).decisions] == ["rev2"]
    assert "in.jsonl:2" in (tmp_path / "out.rejected.jsonl").read_text(encoding="utf-8")


def test_an_import_without_decisions_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in.json"
    source.write_text("{}", encoding="utf-8")
    out = tmp_path / "out.jsonl"
    words = ("import", source, "--format", "label-studio", "--out")

    assert "no decision in it" in _refused(capsys, *words, out)
    assert "exists" in _refused(capsys, *words, source)
    assert "is no folder" in _refused(capsys, *words, tmp_path / "no" / "out.jsonl")
    assert "no such file" in _refused(capsys, "import", tmp_path / "no", "--out", out)
    source.write_text("{", encoding="utf-8")
    assert "is no JSON" in _refused(capsys, *words, out)
    assert not out.exists()
