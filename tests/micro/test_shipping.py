"""Pretrained models take the place of the embedded ones, some of them or all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from judge_lightning.errors import UserError
from pipelines.manifest import Manifest
from pipelines.ship_micro import RECIPE, ship


def artifact(folder: Path, *models: str, check_prompts: int = 300) -> tuple[Path, Manifest]:
    for name in ("tokenizer", *models):
        (folder / name).mkdir(parents=True)
        (folder / name / "model.safetensors").write_text(f"weights of {name}")
        (folder / name / "tokenizer.json").write_text("{}")
    settings: dict[str, Any] = {
        "models": {name: {"seed": 1} for name in models},
        "check_prompts": check_prompts,
    }
    metrics = {f"{name}/right/word": 0.5 for name in models}
    return folder, Manifest("pretrain", "0" * 64, 2, settings, {}, {}, metrics, {}, {})


def test_models_that_an_artifact_does_not_hold_stay_with_their_recipe(tmp_path: Path) -> None:
    assets = tmp_path / "assets"
    ship(*artifact(tmp_path / "first", "target", "draft"), assets)
    ship(*artifact(tmp_path / "second", "draft", "draft_large"), assets)
    recipe = json.loads((assets / RECIPE).read_text())
    for part in (recipe["settings"]["models"], recipe["right"], recipe["weights"]):
        assert sorted(part) == ["draft", "draft_large", "target"]
    assert recipe["right"]["draft_large"] == {"word": 0.5}
    assert (assets / "draft_large" / "model.safetensors").is_file()


def test_models_that_were_examined_differently_do_not_stay_beside_new_ones(tmp_path: Path) -> None:
    assets = tmp_path / "assets"
    ship(*artifact(tmp_path / "first", "target", check_prompts=100), assets)
    with pytest.raises(UserError, match="target would stay"):
        ship(*artifact(tmp_path / "second", "draft"), assets)


def test_another_tokenizer_is_refused_where_models_stay(tmp_path: Path) -> None:
    assets = tmp_path / "assets"
    ship(*artifact(tmp_path / "first", "target"), assets)
    folder, manifest = artifact(tmp_path / "second", "draft")
    (folder / "tokenizer" / "tokenizer.json").write_text('{"other": 1}')
    with pytest.raises(UserError, match="tokenizer is another"):
        ship(folder, manifest, assets)
