"""W&B, by its real SDK and without an account: what an offline run's record holds, read back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.config import TrackingConfig
from pipelines.durable import write_json
from pipelines.manifest import Manifest
from pipelines.report.figures import figures
from pipelines.report.material import read_material
from pipelines.report.summary import summarise
from pipelines.store import Artifact
from pipelines.tracking import RunTracker
from tests.pipelines.wandb_records import WandbRecords, read_run
from tests.report.conftest import IDENTITY, PLAIN, write_artifacts

pytest.importorskip("wandb")

SECRET = "0123456789abcdef" * 5
HOSTILE = '<script>alert("x")</script> & \u202e right to left'
NOWHERE = "http://127.0.0.1:9"
"""An address at which nobody listens."""

FOUND = ("prompts", "mine")
"""Stages whose artifacts were in the store already."""


@dataclass(frozen=True)
class Recorded:
    """A run with made-up artifacts, and what W&B's file says of it."""

    folder: Path
    artifacts: dict[str, Artifact]
    summary: dict[str, Any]
    figures: dict[str, Any]
    records: WandbRecords

    @property
    def metrics(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "metrics.jsonl").open()]

    def table(self, key: str) -> dict[str, Any]:
        """The content of a table, from the artifact that W&B makes of it."""
        (content,) = self._files(f"{key}.table.json")
        return dict(json.loads(content))

    def documents(self, key: str) -> list[str]:
        """The HTML documents in a table's cells."""
        (table,) = (one for one in self.records.artifacts if f"{key}.table.json" in names(one))
        return [Path(e.local_path).read_text() for e in table.manifest.contents if is_html(e.path)]

    def _files(self, name: str) -> list[str]:
        return [
            Path(entry.local_path).read_text()
            for artifact in self.records.artifacts
            for entry in artifact.manifest.contents
            if entry.path == name
        ]


def names(artifact: Any) -> set[str]:
    return {entry.path for entry in artifact.manifest.contents}


def is_html(path: str) -> bool:
    return path.endswith(".html")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_API_KEY", SECRET)
        for variable in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_SILENT"):
            patch.delenv(variable, raising=False)
        root = tmp_path_factory.mktemp("recorded")
        patch.chdir(root)
        yield record(root, "offline")


def record(root: Path, mode: str) -> Recorded:
    """Records a run that found two stages' artifacts and made the others."""
    folders = write_artifacts(root / "store", replace(PLAIN, text=HOSTILE))
    artifacts = {stage: stored(stage, folder) for stage, folder in folders.items()}
    material = read_material(IDENTITY, folders)
    summary = summarise(material)
    shown = figures(material, summary, folders["decode"])
    folder = root / "run"
    folder.mkdir()
    for name, content in (("summary.json", summary), ("figures.json", shown)):
        write_json(folder / name, content)
    (folder / "config.yaml").write_text("exp: quickstart\npair: {name: micro}\n")
    (folder / "report.html").write_text("<p>The page.</p>")
    with RunTracker(
        TrackingConfig(name="x", wandb_mode=mode, tags=["mine"], wait_seconds=30),
        folder=folder,
        name="quickstart-now",
        group="quickstart",
        settings={"exp": "quickstart", "pair": {"name": "micro"}, "judge": {"lr": 0.5}},
        tags=["quickstart", "micro"],
    ) as tracker:
        for step in range(4):
            tracker.record("train", {"loss": 1 / (step + 1), "validation/auroc": step / 4}, step)
        tracker.record("calibrate", {"threshold": 0.5})
        tracker.record("report", {"verdict/accepted_ratio": 3.5, "court/mine/tuples": 612.0})
        for stage, artifact in artifacts.items():
            (tracker.used if stage in FOUND else tracker.produced)(artifact)
        tracker.results(summary, shown, folder / "report.html")
    return Recorded(folder, artifacts, summary, shown, read_run(folder))


def stored(stage: str, folder: Path) -> Artifact:
    (folder / "data.bin").write_text(stage)
    manifest = Manifest.read(folder)
    if stage == "calibrate":
        shutil.copyfile(folder / "data.bin", folder / "judge" / "judge.safetensors")
        files = {
            f"judge/{name}": manifest.files["data.bin"]
            for name in ("judge_config.json", "judge.safetensors")
        }
        manifest = replace(manifest, files=files)
    return Artifact(stage, manifest.key, folder.relative_to(Path.cwd()), manifest)


def test_the_run_is_found_by_experiment_kind_and_tags_and_told_by_its_verdict(
    recorded: Recorded,
) -> None:
    run = recorded.records.run
    assert (run.run_group, run.job_type, run.display_name) == (
        *("quickstart", "run"),
        "quickstart-now",
    )
    assert list(run.tags) == ["mine", "quickstart", "micro"]
    assert run.notes == recorded.figures["sentence"]
    assert recorded.records.exit_code == 0


def test_the_configuration_is_there_as_it_is_nested(recorded: Recorded) -> None:
    assert recorded.records.config["judge"] == {"lr": 0.5}


def test_every_metric_of_metrics_jsonl_is_there_with_its_last_value(recorded: Recorded) -> None:
    for line in recorded.metrics:
        if line["step"] is None:
            assert recorded.records.summary[line["metric"]] == line["value"]
        else:
            rows = [r for r in recorded.records.history if r.get("train/step") == line["step"]]
            assert [row[line["metric"]] for row in rows] == [line["value"]]


def test_a_metric_with_steps_is_drawn_over_its_stages_own_axis_and_summed_up_by_its_best(
    recorded: Recorded,
) -> None:
    metrics = recorded.records.metrics
    loss, auroc = metrics["train/loss"], metrics["train/validation/auroc"]
    assert loss.step_metric == auroc.step_metric == "train/step"
    assert (loss.summary.min, loss.summary.max, loss.summary.last) == (True, False, True)
    assert (auroc.summary.min, auroc.summary.max, auroc.summary.last) == (False, True, True)
    assert metrics["train/step"].options.hidden


def test_of_numbers_without_steps_the_verdicts_have_panels_and_the_others_none(
    recorded: Recorded,
) -> None:
    assert recorded.records.logged("report/verdict/accepted_ratio") == [3.5]
    assert not recorded.records.logged("report/court/mine/tuples")


def test_every_key_of_the_summary_is_there(recorded: Recorded) -> None:
    for key, value in recorded.summary.items():
        assert recorded.records.summary[key] == json.loads(json.dumps(value))


def test_every_table_is_there_with_every_row(recorded: Recorded) -> None:
    drawn = {"train/layers", "calibrate/operating_curve", "decode/accepted"}
    for name, table in recorded.figures["tables"].items():
        if not table["rows"]:
            continue
        key = f"Custom Chart Tables/{name}_table" if name in drawn else name
        content = recorded.table(key)
        assert content["columns"] == table["columns"]
        assert len(content["data"]) == len(table["rows"])


def test_curves_are_native_charts(recorded: Recorded) -> None:
    chart = recorded.records.config["_wandb.visualize.calibrate/operating_curve"]
    assert chart["panel_config"]["panelDefId"] == "wandb/line/v0"
    assert chart["panel_config"]["fieldSettings"] == {
        "x": "threshold",
        "y": "share",
        "stroke": "what",
    }


def test_accepted_tokens_per_cycle_are_a_histogram_per_decoder(recorded: Recorded) -> None:
    for decoder, counts in recorded.figures["histograms"].items():
        assert recorded.records.logged(f"decode/{decoder}/accepted._type") == ["histogram"]
        assert recorded.records.logged(f"decode/{decoder}/accepted.values") == [counts]


def test_a_decoded_answer_has_every_decoders_text_and_the_token_view_as_html(
    recorded: Recorded,
) -> None:
    answers = recorded.table("decode/answers")
    row = dict(zip(answers["columns"], answers["data"][0], strict=True))
    for decoder in ("target", "draft", "exact", "judge"):
        assert row[decoder]
        assert row[f"{decoder} is right"] in (True, False)
    assert row["judge's tokens"]["_type"] == "html-file"
    assert len(recorded.documents("decode/answers")) == len(answers["data"])


def test_what_a_model_or_prompt_wrote_runs_nowhere_in_the_token_view(recorded: Recorded) -> None:
    documents = recorded.documents("decode/answers")
    assert documents
    assert not any("<script" in document for document in documents)


def test_artifacts_that_were_found_are_inputs_and_those_that_were_made_are_outputs(
    recorded: Recorded,
) -> None:
    for stage, artifact in recorded.artifacts.items():
        mirror = recorded.records.artifact(stage)
        assert mirror.use_after_commit == (stage in FOUND)
        assert set(mirror.aliases) == {"latest", artifact.key[:8]}
        assert json.loads(mirror.metadata)["key"] == artifact.key
        assert names(mirror) == {"manifest.json", *artifact.manifest.files}


def test_artifacts_are_found_by_wandb_sync_from_whatever_folder_it_is_typed_in(
    recorded: Recorded,
) -> None:
    for stage in recorded.artifacts:
        for entry in recorded.records.artifact(stage).manifest.contents:
            assert entry.ref or Path(entry.local_path).is_absolute()


def test_the_judge_that_decoded_is_a_model_with_the_alias_chosen(recorded: Recorded) -> None:
    judge = recorded.records.artifact("judge-micro")
    assert judge.type == "model"
    assert "chosen" in judge.aliases
    assert "certified" not in judge.aliases
    assert names(judge) == {"judge_config.json", "judge.safetensors"}


def test_the_report_page_is_there(recorded: Recorded) -> None:
    assert recorded.records.logged("report/page._type") == ["html-file"]


def files_with(secret: str, folder: Path) -> list[Path]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return [path for path in files if secret.encode() in path.read_bytes()]


def test_no_file_holds_the_key(recorded: Recorded) -> None:
    assert not files_with(SECRET, recorded.folder)


KEY = SECRET[:40]


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("nowhere", f"no API key for {NOWHERE}"),
        ("variable", "does not answer"),
        ("netrc", "does not answer"),
    ],
)
def test_without_a_key_or_a_server_an_online_run_is_recorded_offline_and_says_so_in_a_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    place: str,
    reason: str,
) -> None:
    kept = tmp_path / "netrc"
    netrc = f"machine 127.0.0.1:9 login user password {KEY}\n" if place == "netrc" else ""
    kept.write_text(netrc)
    kept.chmod(0o600)
    monkeypatch.setenv("WANDB_BASE_URL", NOWHERE)
    monkeypatch.setenv("NETRC", str(kept))
    monkeypatch.setenv("WANDB_API_KEY", KEY if place == "variable" else "")
    if place == "netrc":
        monkeypatch.delenv("WANDB_API_KEY")
    with RunTracker(
        TrackingConfig(name="x", wandb_mode="online"),
        folder=tmp_path,
        name="n",
        group="g",
        settings={},
    ) as tracker:
        tracker.record("mine", {"accuracy": 0.5})
    (warning,) = capfd.readouterr().err.splitlines()
    assert warning.startswith("warning: W&B:")
    assert reason in warning
    assert f"wandb sync {tmp_path}" in warning
    assert read_run(tmp_path).summary["mine/accuracy"] == 0.5
    assert kept.read_text() == netrc
    kept.unlink()
    assert not files_with(KEY, tmp_path)
