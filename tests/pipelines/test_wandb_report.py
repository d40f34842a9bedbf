"""W&B's report, built by its real SDK and without an account."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.durable import read_json, write_json
from pipelines.manifest import Manifest
from pipelines.report.figures import figures
from pipelines.report.material import read_material
from pipelines.report.promise import NO_PROMISE
from pipelines.report.summary import summarise
from pipelines.run_folder import CONFIG, FIGURES, SUMMARY
from pipelines.wandb_report import main
from pipelines.wandb_run import publishing
from pipelines.wandb_run.publishing import (
    SPECIFICATION,
    Subject,
    publish,
    publishing_command,
    relative_record,
    report_sweep,
    save_specification,
)
from pipelines.wandb_run.report_text import headline_table, markdown_table, promise
from tests.report.conftest import IDENTITY, PLAIN, write_artifacts

reports = pytest.importorskip("wandb_workspaces.reports.v2")

SUBJECT = Subject("judge-lightning", None, "quickstart", "abcd1234", "wandb/offline-run-1-abcd1234")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run, as the report stage leaves it."""
    root = tmp_path_factory.mktemp("finished")
    folders = write_artifacts(root / "store", replace(PLAIN, text="2 | 3 <b>*</b> $x$"))
    material = read_material(IDENTITY, folders)
    summary = {**summarise(material), "run": {"seconds": 1.0}}
    run = root / "run"
    run.mkdir()
    write_json(run / SUMMARY, summary)
    write_json(run / FIGURES, figures(material, summary, folders["decode"]))
    (run / CONFIG).write_text("exp: quickstart\nsweep: {axes: {layer: judge.layer}}\n")
    return run


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy that a test may write to."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What W&B's server is asked to keep; it knows one project and numbers its reports."""
    asked: list[dict[str, Any]] = []
    interface = reports.interface

    def upsert(api: Any, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        asked.append(variables)
        view = {
            "id": variables["id"] or f"report-{len(asked)}",
            "name": variables["name"],
            "displayName": variables["displayName"],
            "description": variables["description"],
            "project": {"id": "1", "name": "judge-lightning", "entityName": "somebody"},
            "spec": variables["spec"],
        }
        return {"upsertView": {"view": view, "inserted": True}}

    projects = [SimpleNamespace(name="judge-lightning")]
    api = SimpleNamespace(projects=lambda entity: projects)
    monkeypatch.setattr(interface, "execute_graphql", upsert)
    monkeypatch.setattr(interface, "_get_api", lambda: api)
    monkeypatch.setattr(interface, "get_app_url", lambda api: "https://server")
    return asked


def specified(folder: Path) -> Any:
    """The saved report, read by the SDK's own models."""
    spec = read_json(folder / SPECIFICATION)["report"]
    return reports.Report._from_model(reports.internal.ReportViewspec.model_validate(spec))


def texts(report: Any) -> str:
    return "\n".join(str(getattr(block, "text", "")) for block in report.blocks)


def panels(report: Any) -> list[Any]:
    return [panel for block in report.blocks for panel in getattr(block, "panels", [])]


def test_the_specification_is_one_of_the_sdks_own_and_no_block_or_panel_is_unknown_to_it(
    run: Path,
) -> None:
    save_specification(run, SUBJECT)
    report = specified(run)
    kinds = {type(part).__name__ for part in [*report.blocks, *panels(report)]}
    assert not {kind for kind in kinds if kind.startswith("Unknown")}
    assert {"BarPlot", "LinePlot", "CustomChart", "WeavePanelSummaryTable", "RunComparer"} <= kinds


def test_it_tells_the_verdict_first_and_the_summarys_numbers(run: Path) -> None:
    save_specification(run, SUBJECT)
    said, figures = texts(specified(run)), read_json(run / FIGURES)
    assert said.index(figures["sentence"]) < said.index("accepted per cycle")
    judge = read_json(run / SUMMARY)["decode"]["judge"]
    assert f"{judge['accepted_per_cycle']:,.2f}" in said
    assert f"{judge['right']:.1%}" in said


def test_its_panels_are_about_this_run_and_compare_it_with_its_group(run: Path) -> None:
    save_specification(run, SUBJECT)
    *own, last = [block for block in specified(run).blocks if hasattr(block, "panels")]
    assert {grid.runsets[0].filters for grid in own} == {"Metric(\"ID\") == 'abcd1234'"}
    assert last.runsets[0].filters == "Metric(\"Group\") == 'quickstart'"


def test_its_charts_are_drawn_from_the_tables_that_the_run_logs(run: Path) -> None:
    save_specification(run, SUBJECT)
    drawn = {
        panel.query["summaryTable"]["tableKey"]
        for panel in panels(specified(run))
        if type(panel).__name__ == "CustomChart"
    }
    assert drawn == {
        f"Custom Chart Tables/{name}_table"
        for name in ("train/layers", "calibrate/operating_curve", "decode/accepted")
    }


def test_where_the_time_of_a_cycle_goes_is_drawn_where_it_was_measured(
    run: Path, tmp_path: Path
) -> None:
    folders = write_artifacts(tmp_path / "store", PLAIN)
    material = read_material(IDENTITY, folders)
    summary = summarise(material)
    parts = {"draft": 0.01, "verify": 0.02, "judge": 0.0, "overhead": 0.005}
    summary["decode"]["judge"]["cycle_seconds"] = {**parts, "bound": None, "cycles": 7}
    shown = figures(material, summary, folders["decode"])
    assert shown["tables"]["decode/cycle_seconds"]["rows"] == [
        [f"judge: {part}", seconds * 1000] for part, seconds in parts.items()
    ]
    write_json(run / FIGURES, shown)
    save_specification(run, SUBJECT)
    drawn = [p for p in panels(specified(run)) if type(p).__name__ == "CustomChart"]
    assert "wandb/bar/v0" in {chart.chart_name for chart in drawn}


RULE = {
    **{"rule": "top_k, k 2", "accepted_per_cycle": 4.25, "accepted_stderr": 0.5},
    **{"right": 0.9, "right_low": 0.8, "right_high": 0.95, "tokens_per_second": 120.4},
    **{"change": -0.02, "change_stderr": 0.01, "on_front": True, "on_speed_front": False},
}
HALF = {"value": 0.5, "stderr": 0.125}
SCORE = {"value": 7.5, "stderr": 0.25, "n": 8, "questions": 4}
PARTS = {
    "Acceptance rules": (
        {"pareto": {"word": [RULE]}},
        "| top\\_k, k 2 | 4.25 ± 0.50 | 90.0% \\[80.0%, 95.0%\\] | 120 | -2.0% ± 1.0 | kept |",
    ),
    "MT-Bench": (
        {
            "mt_bench": {
                "cycles": {"judge": {}},
                "scores": {"judge": {"all": SCORE, "turns": {"1": SCORE}}},
                "differences": {"judge": {"value": -0.5, "low": -1.0, "high": 0.25}},
                "matches": {"judge": {"wins": 1, "ties": 2, "losses": 3}},
            }
        },
        "| judge | 7.50 ± 0.25 | 7.50 ± 0.25 |  | -0.50 \\[-1.00, +0.25\\] | 1 / 2 / 3 |",
    ),
    "How much correct text is rejected": (
        {"acceptance": {"texts": {"expert": {"tokens": 1234, "standard": {"acceptance": HALF}}}}},
        "| expert | 1,234 | 50.0% ± 12.5 |  |  |  |  |  |  |",
    ),
    "Flagged texts": (
        {
            "safety": {
                "categories": {"none": {"harmless": True, "items": 3, "tokens": 7, "judge": HALF}}
            }
        },
        "| none (harmless) | 3 | 7 |  | 50.0% ± 12.5 |  |  |  |",
    ),
}
"""What not every run has: the section's title, the summary's part, and a row of its table."""


def test_a_folder_with_a_space_in_its_name_can_be_typed(run: Path) -> None:
    folder = shutil.copytree(run, run.parent / "my run")
    command = save_specification(folder, SUBJECT)
    assert command == (
        f"wandb sync '{folder}/wandb/offline-run-1-abcd1234'"
        f" && python -m pipelines.wandb_report '{folder}'"
    )


def test_the_jobs_of_a_sweep_are_found_by_the_shell_whatever_the_folder_is_called(
    run: Path,
) -> None:
    folder = run.parent / "my sweep"
    for job in ("0", "1"):
        (folder / job / "wandb" / "offline-run-1").mkdir(parents=True)
    whole = replace(SUBJECT, run=None, record="*/wandb/offline-run-*")
    sync, _ = publishing_command(folder, whole).split(" && ")
    listed = f"printf '%s\\n' {sync.removeprefix('wandb sync ')}"
    found = subprocess.run(["bash", "-c", listed], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == [
        str(folder / job / "wandb" / "offline-run-1") for job in ("0", "1")
    ]


def test_a_record_is_known_by_its_place_in_the_run_whatever_link_leads_there(
    tmp_path: Path,
) -> None:
    (tmp_path / "disk" / "run" / "wandb" / "run-1").mkdir(parents=True)
    (tmp_path / "outputs").symlink_to(tmp_path / "disk")
    folder = tmp_path / "outputs" / "run"
    assert relative_record(folder / "wandb" / "run-1", folder) == "wandb/run-1"


@pytest.mark.parametrize("title", PARTS)
def test_a_part_that_not_every_run_has_gets_its_table(run: Path, title: str) -> None:
    part, row = PARTS[title]
    write_json(run / SUMMARY, {**read_json(run / SUMMARY), **part})
    save_specification(run, SUBJECT)
    said = texts(specified(run)).splitlines()
    assert row in said[said.index(title) :]


@pytest.mark.parametrize("title", PARTS)
def test_a_run_without_that_part_has_no_such_section(run: Path, title: str) -> None:
    save_specification(run, SUBJECT)
    assert title not in texts(specified(run)).splitlines()


def train_was_cached(run: Path) -> str:
    """Has the run find the judge in the store; returns the artifact's key."""
    summary = read_json(run / SUMMARY)
    summary["stages"]["train"]["cached"] = True
    write_json(run / SUMMARY, summary)
    return str(summary["stages"]["train"]["key"])


def test_a_run_that_found_its_judge_says_where_the_curves_are_and_draws_none(run: Path) -> None:
    train_was_cached(run)
    save_specification(run, SUBJECT)
    report = specified(run)
    assert "LinePlot" not in {type(panel).__name__ for panel in panels(report)}
    assert "Its training curves are with the run that has trained it" in texts(report)
    assert "W&B knows that run" not in texts(report)


def test_the_run_that_trained_the_judge_is_named_where_the_store_knows_it(
    run: Path, tmp_path: Path
) -> None:
    key = train_was_cached(run)
    folder = tmp_path / "store" / "train" / key
    folder.mkdir(parents=True)
    manifest = Manifest("train", key, 1, {}, {}, {}, {}, {}, {}, wandb="wxyz9876")
    write_json(folder / "manifest.json", manifest.to_json())
    (run / CONFIG).write_text(f"exp: quickstart\nartifacts_dir: {tmp_path / 'store'}\n")
    save_specification(run, SUBJECT)
    assert "W&B knows that run as wxyz9876." in texts(specified(run))


def test_beside_it_stands_the_one_command_that_publishes_it(run: Path) -> None:
    command = save_specification(run, SUBJECT)
    assert command == read_json(run / SPECIFICATION)["publish"]
    assert command == (
        f"wandb sync {run}/wandb/offline-run-1-abcd1234 && python -m pipelines.wandb_report {run}"
    )


def test_a_run_of_an_older_version_has_a_report_without_what_it_does_not_know(run: Path) -> None:
    (run / FIGURES).unlink()
    save_specification(run, SUBJECT)
    report = specified(run)
    assert report.description == "quickstart on micro"
    assert "CustomChart" not in {type(panel).__name__ for panel in panels(report)}


def test_a_run_that_decodes_nothing_has_no_word_of_a_judge(run: Path) -> None:
    write_json(run / SUMMARY, {"exp": "texts", "pair": "micro", "stages": {}})
    (run / FIGURES).unlink()
    save_specification(run, SUBJECT)
    titles = {block.text for block in specified(run).blocks if type(block).__name__ in ("H1", "H2")}
    assert titles == {
        *("The run", "How to get the same"),
        "Beside the other runs of this experiment",
    }


def test_publishing_twice_brings_the_same_report_up_to_date(
    run: Path, server: list[dict[str, Any]]
) -> None:
    first, second = (publish(run, SUBJECT, "somebody") for _ in range(2))
    assert first == second
    assert [asked["id"] for asked in server] == [None, "report-1"]
    assert json.loads(server[-1]["spec"])["blocks"]


def test_somebody_elses_account_gets_a_report_of_its_own(
    run: Path, server: list[dict[str, Any]]
) -> None:
    publish(run, SUBJECT, "somebody")
    publish(run, SUBJECT, "somebody-else")
    assert [asked["id"] for asked in server] == [None, None]


def sweep_of(run: Path, folder: Path, subject: Subject) -> Path:
    """A multirun of two jobs that wait for nothing."""
    for layer in (4, 5):
        job = shutil.copytree(run, folder / str(layer))
        (job / CONFIG).write_text(
            f"exp: layers\njudge: {{layer: {layer}}}\ntracking: {{wait_seconds: 0}}\n"
        )
        save_specification(job, subject)
    return folder


def test_a_server_that_does_not_answer_holds_the_end_of_a_sweep_up_no_longer_than_a_run(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = sweep_of(run, tmp_path / "multirun", replace(SUBJECT, record="wandb/run-1-abcd1234"))
    answered = Event()
    monkeypatch.setattr(publishing, "_report_jobs", lambda folder, one: str(answered.wait()))
    line = report_sweep(sweep)
    answered.set()
    assert line == (
        "W&B has no report of the sweep (not done after 0 s);"
        f" `python -m pipelines.wandb_report {sweep}` tries again"
    )


def test_a_job_whose_specification_is_torn_costs_the_sweep_a_line(
    run: Path, tmp_path: Path
) -> None:
    sweep = sweep_of(run, tmp_path / "multirun", SUBJECT)
    (sweep / "4" / SPECIFICATION).write_text("{")
    (sweep / "4" / CONFIG).write_text("tracking: {wait_seconds: 30}\n")
    line = report_sweep(sweep)
    assert line is not None
    assert line.startswith("W&B has no report of the sweep (")
    assert "cannot be read" in line


def test_a_sweep_has_a_report_over_the_group_of_its_jobs(run: Path, tmp_path: Path) -> None:
    sweep = tmp_path / "multirun"
    for layer in (4, 5):
        job = shutil.copytree(run, sweep / str(layer))
        (job / CONFIG).write_text(
            f"exp: layers\njudge: {{layer: {layer}}}\n"
            "sweep: {title: Which layer, axes: {layer: judge.layer}}\n"
        )
        save_specification(job, replace(SUBJECT, group="layers-now"))
    line = report_sweep(sweep)
    assert line == (
        f"W&B: wandb sync {sweep}/*/wandb/offline-run-* && python -m pipelines.wandb_report {sweep}"
    )
    report = specified(sweep)
    (parallel,) = (p for p in panels(report) if type(p).__name__ == "ParallelCoordinatesPlot")
    assert [column.display_name for column in parallel.columns][:2] == [
        *("layer", "accepted per cycle"),
    ]
    filters = {r.filters for b in report.blocks for r in getattr(b, "runsets", [])}
    assert filters == {"Metric(\"Group\") == 'layers-now'"}


def test_a_sweep_that_wandb_has_not_recorded_has_no_line(run: Path) -> None:
    assert report_sweep(run.parent) is None


def test_a_folder_without_a_specification_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "wandb_report.json" in line


def test_without_a_login_nothing_is_published_and_one_line_says_what_to_do(
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("NETRC", str(tmp_path / "nobody"))
    monkeypatch.setenv("WANDB_API_KEY", "")
    save_specification(run, SUBJECT)
    assert main([str(run)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "wandb login" in line


def test_text_in_a_table_is_shown_as_it_is() -> None:
    table = markdown_table(["a|b"], [["<img onerror=x> *x* $y$\nz"]])
    assert table.splitlines()[0] == r"| a\|b |"
    assert table.splitlines()[2] == r"| \<img onerror=x\> \*x\* \$y\$ z |"


def test_a_threshold_without_a_promise_says_how_to_get_one() -> None:
    assert promise({"judge": {"certificate": None}}) == NO_PROMISE


def test_speed_that_a_stand_in_has_measured_says_so() -> None:
    row = {"accepted_per_cycle": 0.0, "right": 0.5, "right_stderr": 0.1, "speedup": 1.0}
    summary = {"decode": {"target": row}, "speed": {"stand_in": True}}
    assert "speed-up (stand-in)" in headline_table(summary)
