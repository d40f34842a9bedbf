"""``python -m pipelines.compare``: runs side by side."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from judge_lightning.errors import UserError
from pipelines.compare.__main__ import main
from pipelines.compare.comparison import Comparison, make_comparison
from pipelines.compare.differences import artifacts_of, read_manifests
from pipelines.compare.measures import Measure
from pipelines.compare.terminal import print_comparison
from tests.compare.conftest import MakeRun, runs_of
from tests.sweep.conftest import summary_of

OTHER = {"mine": "a" * 64, "decode": "d" * 64}


def compare(*folders: Path, **options: Any) -> Comparison:
    return make_comparison(runs_of(*folders), **options)


def shown(comparison: Comparison, width: int = 110, *, everything: bool = False) -> str:
    text = io.StringIO()
    console = Console(file=text, width=width, color_system=None, highlight=False)
    print_comparison(comparison, console, everything=everything)
    return text.getvalue()


def measure(comparison: Comparison, name: str) -> Measure:
    return next(one for one in comparison.measures if one.name == name)


def test_only_settings_that_differ_are_told(make_run: MakeRun) -> None:
    one = make_run("1", settings={"judge.lr": 0.001, "judge.layer": 5})
    two = make_run("2", settings={"judge.lr": 0.003, "judge.layer": 5})
    assert compare(one, two).as_json()["config"] == {"judge.lr": [0.001, 0.003]}


def test_a_group_that_differs_in_its_name_is_told_by_it(make_run: MakeRun) -> None:
    one = make_run("1", settings={"judge.name": "micro", "judge.head": "linear"})
    two = make_run("2", settings={"judge.name": "mlp", "judge.head": "mlp"})
    found = {setting.field: setting.inside for setting in compare(one, two).settings}
    assert found == {"judge.name": False, "judge.head": True}
    assert "judge.head" not in shown(compare(one, two))
    assert "judge.head" in shown(compare(one, two), everything=True)


def test_artifacts_are_shared_or_differ_stage_by_stage(make_run: MakeRun) -> None:
    comparison = compare(make_run("1"), make_run("2", keys=OTHER))
    assert {stage.stage: stage.shared for stage in comparison.stages} == {
        "mine": True,
        "decode": False,
    }
    text = shown(comparison)
    assert "bbbbbbbb" in text and "dddddddd" in text
    assert "Artifacts that all runs share: mine aaaaaaaa" in text


def test_a_stage_says_what_of_its_own_made_its_key_another(make_run: MakeRun) -> None:
    one = make_run("1", stage_settings={"engine": {"draft_length": 8}})
    two = make_run("2", stage_settings={"engine": {"draft_length": 9}}, version=2, keys=OTHER)
    assert compare(one, two).stages[1].reason == "version 1, 2, engine.draft_length"


def test_a_stage_that_a_run_does_not_have_stands_in_its_place(make_run: MakeRun) -> None:
    one = make_run("1", keys={"mine": "a" * 64, "decode": "b" * 64})
    two = make_run("2", keys={"mine": "a" * 64, "baseline": "e" * 64, "decode": "d" * 64})
    stages = compare(one, two).stages
    assert [stage.stage for stage in stages] == ["mine", "baseline", "decode"]
    assert (stages[1].keys, stages[1].reason) == ([None, "e" * 64], "not in every run")


def test_a_number_stands_with_its_difference_to_the_first_run(make_run: MakeRun) -> None:
    comparison = compare(make_run("1"), make_run("2", summary=summary_of(right=0.9, kept=14.5)))
    kept = measure(comparison, "decode.judge.accepted_per_cycle")
    assert (kept.texts, kept.changes, kept.better) == (["12.00", "14.50"], ["", "+2.50"], [0, 1])
    right = measure(comparison, "decode.judge.right")
    assert right.texts == ["96.0 ± 3.0 %", "90.0 ± 3.0 %"]
    assert right.changes == ["", "−6.0"]


def test_a_difference_within_the_errors_is_neither_better_nor_worse(make_run: MakeRun) -> None:
    near = make_run("2", summary=summary_of(right=0.91))
    far = make_run("3", summary=summary_of(right=0.8))
    comparison = compare(make_run("1"), near, far)
    assert measure(comparison, "decode.judge.right").better == [0, 0, -1]


def test_numbers_that_are_alike_are_counted_and_shown_when_asked_for(make_run: MakeRun) -> None:
    comparison = compare(make_run("1"), make_run("2", summary=summary_of(kept=13.0)))
    assert "AUROC" not in shown(comparison)
    assert "numbers are alike in all runs (--all)" in shown(comparison)
    assert "AUROC" in shown(comparison, everything=True)


def test_answers_to_the_same_prompts_are_paired(make_run: MakeRun) -> None:
    one = make_run("1", wrong={"judge": {7}})
    two = make_run("2", wrong={"judge": {11, 12, 13}}, keys=OTHER, prompts=range(40))
    target, judge = compare(one, two).answers
    assert (target.decoder, target.same_text) == ("target", 40)
    assert (judge.prompts, judge.same_text) == (40, 36)
    assert (judge.paired.turned_wrong, judge.paired.turned_right) == (3, 1)
    assert judge.paired.value == pytest.approx(-2 / 40)
    assert judge.paired.low < -2 / 40 < judge.paired.high


def test_runs_that_share_their_answers_are_not_paired(make_run: MakeRun) -> None:
    comparison = compare(make_run("1"), make_run("2"))
    assert not comparison.answers
    assert "Run 2 and run 1 have the same answers: they share decode." in shown(comparison)


def test_answers_that_are_not_stored_are_named(make_run: MakeRun) -> None:
    one, two = make_run("1"), make_run("2", keys=OTHER)
    (Path("artifacts/decode") / ("d" * 64) / "manifest.json").unlink()
    comparison = compare(one, two)
    assert comparison.notes == [
        "the answers of run 2 are not stored, or cannot be read: decode/dddddddd"
    ]
    assert measure(comparison, "decode.judge.right"), "numbers are in the summary all the same"


def test_an_older_run_without_a_number_shows_that_it_has_none(make_run: MakeRun) -> None:
    old = {key: value for key, value in summary_of().items() if key not in ("judge", "speed")}
    comparison = compare(make_run("1"), make_run("2", summary=old))
    assert measure(comparison, "judge.auroc").texts == ["0.990", "-"]
    shown(comparison)


def test_a_failed_run_is_shown_with_its_reason(make_run: MakeRun) -> None:
    failed = {"exp": "quickstart", "pair": "micro", "run": None, "failed": "stage mine failed: x"}
    text = shown(compare(make_run("1"), make_run("2", summary=failed, keys={"mine": "e" * 64})))
    assert "run 2: stage mine failed: x" in text
    assert "AUROC" not in text, "one run alone has numbers: nothing differs"
    assert "Run 2 has decoded nothing." in text


@pytest.mark.parametrize("width", [60, 80, 96, 110])
@pytest.mark.parametrize("count", [2, 3, 7])
def test_tables_fit_the_terminal(make_run: MakeRun, width: int, count: int) -> None:
    folders = [
        make_run(
            str(number),
            settings={"judge.layer": number},
            summary=summary_of(kept=10.0 + number),
            keys={"mine": "a" * 64, "decode": f"{number}" * 64},
        )
        for number in range(count)
    ]
    text = shown(compare(*folders), width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    for number in range(count):
        assert f"{10.0 + number:.2f}" in text


def test_of_many_runs_each_is_a_row(make_run: MakeRun) -> None:
    folders = [make_run(str(n), summary=summary_of(kept=10.0 + n)) for n in range(6)]
    lines = shown(compare(*folders)).splitlines()
    row = next(line for line in lines if "12.00" in line)
    assert row.split()[0] == "3" and "+2.00" in row


def test_a_multirun_stands_for_its_jobs(make_run: MakeRun) -> None:
    for number in range(3):
        make_run(f"multirun-1/{number}", settings={"judge.layer": number})
    runs = runs_of(Path("outputs/quickstart/multirun-1"))
    assert [run.job.name for run in runs] == [f"quickstart/multirun-1/{n}" for n in range(3)]


def test_a_summary_stands_for_its_folder(make_run: MakeRun) -> None:
    one, two = make_run("1"), make_run("2")
    assert [run.job.name for run in runs_of(one / "summary.json", two)] == [
        "quickstart/1",
        "quickstart/2",
    ]


def test_the_store_is_found_from_another_folder_too(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one, two = make_run("1").resolve(), make_run("2", keys=OTHER).resolve()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert compare(one, two).answers


def test_what_a_run_says_is_no_markup(make_run: MakeRun) -> None:
    settings = {"judge.name": "[red]x[/red]"}
    text = shown(compare(make_run("1", settings=settings), make_run("2")))
    assert "[red]x[/red]" in text


def test_json_holds_everything(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = make_run("1"), make_run("2", wrong={"judge": {3}}, keys=OTHER)
    assert main(["--json", str(one), str(two)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["metrics"]["judge.auroc"]["values"] == [0.99, 0.99]
    assert found["artifacts"]["decode"]["keys"] == ["b" * 64, "d" * 64]
    assert found["answers"][1]["paired"]["turned_wrong"] == 1


def _no_summary(make_run: MakeRun) -> list[Path]:
    Path("empty").mkdir()
    return [make_run("1"), Path("empty")]


def _newer(make_run: MakeRun) -> list[Path]:
    return [make_run("1"), make_run("2", summary={**summary_of(), "schema": 2})]


def _torn(make_run: MakeRun) -> list[Path]:
    torn = make_run("2")
    (torn / "summary.json").write_text("{")
    return [make_run("1"), torn]


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (lambda make: [make("1"), Path("nowhere")], "nowhere: there is no such folder"),
        (_no_summary, "empty: is no run: it has no summary.json"),
        (_newer, "2/summary.json: has schema 2, and this version reads up to 1"),
        (_torn, "2/summary.json: cannot be read"),
        (lambda make: [make("1")], "quickstart/1: there is nothing to compare it with"),
        (lambda make: [make("1")] * 2, "quickstart/1: is named twice"),
    ],
)
def test_bad_input_is_one_line_that_names_it(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str], paths: Any, message: str
) -> None:
    assert main([str(path) for path in paths(make_run)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_store_that_is_not_there_is_named(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--artifacts-dir", "nowhere", str(make_run("1")), str(make_run("2"))]) == 2
    assert "--artifacts-dir: nowhere is no folder" in capsys.readouterr().err


def test_a_damaged_configuration_is_named(make_run: MakeRun) -> None:
    one, two = make_run("1"), make_run("2")
    (two / "config.yaml").write_text("{")
    with pytest.raises(UserError, match=r"config\.yaml: cannot be read"):
        runs_of(one, two)


def test_the_store_is_the_one_that_holds_the_runs_artifacts(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [run, _] = runs_of(*(tmp_path / make_run(name) for name in ("one", "two")))
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "artifacts").mkdir(parents=True)
    monkeypatch.chdir(elsewhere)
    assert artifacts_of(run) == tmp_path / "artifacts", "the one at hand is another run's"
    assert set(read_manifests(run, None)) == {"mine", "decode"}
