"""Makes a pretrain artifact the embedded pair: ``python -m pipelines.ship_micro KEY``.

The models and the tokenizer replace those in ``judge_lightning/micro/assets``; the recipe, the
shares of right answers and the weights' hashes go beside them as ``pretraining.json``. Models that
the artifact does not hold stay as they are: each is trained by itself, from its own seed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

from judge_lightning.errors import UserError
from judge_lightning.micro.paths import ASSETS
from pipelines.artifacts import find_by_prefix
from pipelines.durable import read_json, sha256_of_file, write_json
from pipelines.manifest import Manifest
from pipelines.store import ArtifactStore

RECIPE = "pretraining.json"


def main() -> None:
    """Reads the command line; exit status 2 when the artifact is not there."""
    parser = argparse.ArgumentParser(prog="pipelines.ship_micro", description=__doc__)
    parser.add_argument("key", help="the pretrain artifact's key, as printed by the run")
    parser.add_argument("--artifacts-dir", default="artifacts", type=Path)
    arguments = parser.parse_args()
    try:
        store = ArtifactStore(arguments.artifacts_dir)
        artifact = find_by_prefix(store, f"pretrain/{arguments.key}")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    ship(artifact.path, artifact.manifest)
    print(f"shipped {artifact.key} to {ASSETS}")


def ship(folder: Path, manifest: Manifest, assets: Path = ASSETS) -> None:
    """Copies the artifact's models over the embedded ones and writes their recipe down.

    Raises:
        UserError: Models would stay that were made or examined in another way.
    """
    models = dict(manifest.settings["models"])
    recipe = _recipe_that_stays(assets, manifest)
    tokenizer = (folder / "tokenizer" / "tokenizer.json").read_bytes()
    if recipe["weights"] and tokenizer != (assets / "tokenizer" / "tokenizer.json").read_bytes():
        raise UserError(
            "KEY", "its tokenizer is another than the shipped models'", "ship all models at once"
        )
    for name in ("tokenizer", *models):
        shutil.rmtree(assets / name, ignore_errors=True)
        shutil.copytree(folder / name, assets / name)
    recipe["settings"]["models"] |= models
    recipe["right"] |= {name: _shares(manifest, name) for name in models}
    recipe["weights"] |= {
        name: sha256_of_file(assets / name / "model.safetensors") for name in models
    }
    write_json(assets / RECIPE, recipe)


def _recipe_that_stays(assets: Path, manifest: Manifest) -> dict[str, Any]:
    """The recipe beside the shipped models, without those that the artifact replaces."""
    new = {"version": manifest.version, "settings": {**manifest.settings, "models": {}}}
    empty: dict[str, Any] = {**new, "right": {}, "weights": {}}
    if not (assets / RECIPE).is_file():
        return empty
    old: dict[str, Any] = read_json(assets / RECIPE)
    staying = set(old["weights"]) - set(manifest.settings["models"])
    if not staying:
        return empty
    if {**old, "settings": {**old["settings"], "models": {}}} != {**old, **new}:
        raise UserError(
            "KEY",
            f"{', '.join(sorted(staying))} would stay, made or examined in another way",
            "ship an artifact that holds all models",
        )
    return old


def _shares(manifest: Manifest, model: str) -> dict[str, float]:
    prefix = f"{model}/right/"
    metrics = manifest.metrics.items()
    return {name.removeprefix(prefix): v for name, v in metrics if name.startswith(prefix)}


if __name__ == "__main__":
    main()
