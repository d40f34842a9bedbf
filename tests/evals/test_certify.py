"""trials decodes the calibration prompts; certify bounds the share of answers turned wrong."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from judge_lightning.court.records import Prompt, write_records
from judge_lightning.embeddings import EmbeddingIndex, Shard
from judge_lightning.errors import UserError
from judge_lightning.guarantee import Certificate
from judge_lightning.heads import JudgeHead
from pipelines.config import CalibrateConfig, RunConfig
from pipelines.stage import StageContext
from pipelines.stages.certify import Certify
from pipelines.stages.trials import Trials
from tests.evals.tiny_run import run, tiny_run


@pytest.fixture
def certified_config(pair_folder: Path) -> RunConfig:
    """Asks for a bound on whole answers that eight prompts can promise."""
    config = tiny_run(pair_folder)
    config.engine.judge_path = None
    config.calibrate = CalibrateConfig(
        alpha=0.5, epsilon=0.2, risk="answers", thresholds=[1.0, 0.5, 0.0]
    )
    return config


@pytest.fixture
def calibrated(pair_folder: Path, prompts: list[Prompt], tmp_path: Path) -> dict[str, Path]:
    """The artifacts that certify reads: eight calibration prompts, and held-out tokens."""
    folders = {name: tmp_path / name for name in ("prompts", "embed", "calibrate")}
    for folder in folders.values():
        folder.mkdir()
    rows = [replace(prompt, split="calibration") for prompt in prompts]
    write_records(folders["prompts"] / "prompts.jsonl", rows)
    shutil.copytree(pair_folder / "judge", folders["calibrate"] / "judge")
    _write_tokens(folders["embed"])
    return folders


def _write_tokens(folder: Path) -> None:
    """Ten held-out tokens at both layers, every other one a mistake."""
    places = torch.arange(10)
    states = {f"layer.{n}": torch.randn(10, 32).half() for n in range(2)}
    facts = {
        "labels": (places % 2).to(torch.int8),
        "tuple": places.int(),
        "answer": torch.zeros(10, dtype=torch.int8),
        "position": torch.zeros(10, dtype=torch.int32),
        "prompt": places,
    }
    save_file({**states, **facts}, folder / "shard-00000.safetensors")
    shard = Shard("shard-00000.safetensors", "calibration", 10, 10, 5)
    EmbeddingIndex(2, 32, "float16", "target", (shard,)).save(folder)


def certify(config: RunConfig, work: Path, folders: dict[str, Path]) -> StageContext:
    """Decodes the trials in ``work/trials`` and certifies in ``work/certify``."""
    work.mkdir(exist_ok=True)
    run(Trials(), config, work / "trials", **folders)
    return run(Certify(), config, work / "certify", **folders, trials=work / "trials")


def test_the_threshold_is_chosen_from_whole_answers_at_each(
    certified_config: RunConfig, calibrated: dict[str, Path], tmp_path: Path
) -> None:
    assert Trials().wanted(certified_config)
    assert Certify().wanted(certified_config)
    Trials().validate(certified_config)
    context = certify(certified_config, tmp_path / "run", calibrated)

    tried = json.loads((tmp_path / "run" / "trials" / "trials.json").read_text())["trials"]
    head = JudgeHead.from_pretrained(context.work / "judge")
    assert head.config.certificate is not None
    certificate = Certificate.from_json(head.config.certificate)
    assert [row["threshold"] for row in tried] == [1.0, 0.5, 0.0]
    assert (sum(tried[0]["turned_wrong"]), len(tried[0]["turned_wrong"])) == (0, 8)
    assert (certificate.risk, certificate.trials) == ("answers", 8)
    assert certificate.threshold == head.config.threshold
    assert certificate.threshold in [row["threshold"] for row in tried]
    measured = json.loads((context.work / "calibration.json").read_text())
    assert (measured["rule"], measured["threshold"]) == ("risk", head.config.threshold)


def test_another_alpha_decodes_nothing(
    certified_config: RunConfig, calibrated: dict[str, Path], tmp_path: Path
) -> None:
    """The key of what is decoded is the same; what is chosen from it has another."""
    first = certify(certified_config, tmp_path / "run", calibrated)
    decoded, chosen = Trials().settings(certified_config), Certify().settings(certified_config)
    certified_config.calibrate.alpha = 0.6
    certified_config.calibrate.epsilon = 0.3

    assert Trials().settings(certified_config) == decoded
    assert Certify().settings(certified_config) != chosen
    folders = {**calibrated, "trials": tmp_path / "run" / "trials"}
    again = run(Certify(), certified_config, tmp_path / "again", **folders)

    for context, alpha in ((first, 0.5), (again, 0.6)):
        config = JudgeHead.from_pretrained(context.work / "judge").config
        assert config.certificate is not None
        assert config.certificate["alpha"] == alpha
    assert not list(again.work.rglob("generations-*"))


def test_other_thresholds_are_decoded(certified_config: RunConfig) -> None:
    decoded = Trials().settings(certified_config)
    certified_config.calibrate.thresholds = [1.0, 0.5]

    assert Trials().settings(certified_config) != decoded


def test_killed_trials_go_on_from_the_answers_that_there_are(
    certified_config: RunConfig, calibrated: dict[str, Path], tmp_path: Path
) -> None:
    whole = run(Trials(), certified_config, tmp_path / "trials", **calibrated)
    kept = next(whole.work.glob("target/timings-*.jsonl"))
    before = kept.read_bytes()
    for path in whole.work.glob("judge-1/*"):
        path.unlink()
    tried = (whole.work / "trials.json").read_bytes()

    run(Trials(), certified_config, whole.work, **calibrated)

    assert kept.read_bytes() == before
    assert (whole.work / "trials.json").read_bytes() == tried


def test_too_few_prompts_for_the_bound_are_refused_before_any_answer(
    certified_config: RunConfig, calibrated: dict[str, Path], tmp_path: Path
) -> None:
    certified_config.calibrate.alpha = 0.02

    with pytest.raises(UserError, match=r"needs 80 calibration prompts, there are 8"):
        run(Trials(), certified_config, tmp_path / "trials", **calibrated)

    assert not (tmp_path / "trials" / "target").exists()


@pytest.mark.parametrize("thresholds", [[], [0.5, 1.2]])
def test_thresholds_that_are_none_are_refused(
    certified_config: RunConfig, thresholds: list[float]
) -> None:
    certified_config.calibrate.thresholds = thresholds

    with pytest.raises(UserError, match="are no thresholds") as error:
        Trials().validate(certified_config)

    assert error.value.field == "calibrate.thresholds"
