"""Makes a pretrain artifact the embedded pair: ``python -m pipelines.ship_micro KEY``.

The models and the tokenizer replace those in ``judge_lightning/micro/assets``; the recipe, the
shares of right answers and the weights' hashes go beside them as ``pretraining.json``.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
from pathlib import Path
from typing import Any

from judge_lightning.errors import UserError
from judge_lightning.micro.paths import ASSETS
from pipelines.artifacts import find_by_prefix
from pipelines.durable import write_json
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


def ship(folder: Path, manifest: Manifest) -> None:
    """Copies the artifact's models over the embedded ones and writes their recipe down."""
    models = list(manifest.settings["models"])
    for name in ("tokenizer", *models):
        shutil.rmtree(ASSETS / name, ignore_errors=True)
        shutil.copytree(folder / name, ASSETS / name)
    recipe: dict[str, Any] = {
        "version": manifest.version,
        "settings": manifest.settings,
        "right": {name: _shares(manifest, name) for name in models},
        "weights": {name: _digest(ASSETS / name / "model.safetensors") for name in models},
    }
    write_json(ASSETS / RECIPE, recipe)


def _shares(manifest: Manifest, model: str) -> dict[str, float]:
    prefix = f"{model}/right/"
    metrics = manifest.metrics.items()
    return {name.removeprefix(prefix): v for name, v in metrics if name.startswith(prefix)}


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
