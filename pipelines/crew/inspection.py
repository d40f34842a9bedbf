"""Asking every node before it gets work: the same code and packages, the same folders and models.

What a node is asked is sent to it as code, since whether it has this package is a question too.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import sys
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judge_lightning.errors import UserError
from pipelines.crew.nodes import Node

_ANSWER_SECONDS = 120.0
SOURCES = ("judge_lightning", "evals", "pipelines")
PACKAGES = ("torch", "transformers", "tokenizers", "safetensors", "numpy", "pyarrow")
"""What can change a byte of a shard."""


@dataclass(frozen=True)
class Premises:
    """Where the work lies.

    Attributes:
        folder: The driver's working folder, from which relative names are read.
        artifacts: The artifact store.
        models: Local model folders, each with the field that names it.
    """

    folder: Path
    artifacts: Path
    models: Mapping[Path, str]


def inspect(ray: Any, nodes: Iterable[Node], premises: Premises) -> None:
    """Asks all nodes, and raises for the first that would not do.

    Raises:
        UserError: A node has no or other code, other packages, does not see or may not write the
            store, lacks the working folder or a model's files, or does not answer.
    """
    premises.artifacts.mkdir(parents=True, exist_ok=True)
    sign = premises.artifacts / f".shared-{uuid.uuid4().hex}"
    sign.write_text(sign.name, encoding="utf-8")
    question = {
        "sources": SOURCES,
        "packages": PACKAGES,
        "folder": str(premises.folder),
        "sign": str(sign),
        "models": [str(path) for path in premises.models],
    }
    try:
        here = answer(question)
        for node, there in _answers(ray, list(nodes), question):
            _compare(node, here, there, premises)
    finally:
        sign.unlink(missing_ok=True)


def answer(question: Mapping[str, Any]) -> dict[str, Any]:
    """What a node says of itself. Runs where this package may be missing: standard library only."""

    def digest_of(package: str) -> str | None:
        found = importlib.util.find_spec(package)
        if found is None or not found.submodule_search_locations:
            return None
        root = Path(next(iter(found.submodule_search_locations)))
        digest = hashlib.sha256()
        for path in sorted(root.rglob("*.py")):
            digest.update(f"{path.relative_to(root).as_posix()}\n".encode() + path.read_bytes())
        return digest.hexdigest()

    def version_of(package: str) -> str:
        try:
            # CPU and CUDA builds of one release are the same code.
            return importlib.metadata.version(package).partition("+")[0]
        except importlib.metadata.PackageNotFoundError:
            return "none"

    def sign_of(path: Path) -> str | None:
        try:
            return path.read_text(encoding="utf-8")
        except OSError:
            return None

    def may_write(folder: Path) -> bool:
        trial = folder / f".trial-{uuid.uuid4().hex}"
        try:
            trial.touch()
            trial.unlink()
        except OSError:
            return False
        return True

    def files_of(folder: Path) -> dict[str, int]:
        return {path.name: path.stat().st_size for path in folder.glob("*") if path.is_file()}

    sign = Path(question["sign"])
    there = os.path.isdir(question["folder"])  # noqa: PTH112
    if there and question["folder"] not in sys.path:
        sys.path.append(question["folder"])
    return {
        "python": platform.python_version(),
        "sources": [digest_of(package) for package in question["sources"]],
        "packages": {package: version_of(package) for package in question["packages"]},
        "folder": there,
        "sign": sign_of(sign),
        "writes": may_write(sign.parent),
        "models": {path: files_of(Path(path)) for path in question["models"]},
    }


def _answers(
    ray: Any, nodes: list[Node], question: Mapping[str, Any]
) -> Iterable[tuple[Node, dict[str, Any]]]:
    from ray import cloudpickle
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    try:
        ask = ray.remote(answer)
        calls = [
            ask.options(
                num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False)
            ).remote(question)
            for node in nodes
        ]
    finally:
        cloudpickle.unregister_pickle_by_value(module)
    for node, call in zip(nodes, calls, strict=True):
        try:
            yield node, ray.get(call, timeout=_ANSWER_SECONDS)
        except ray.exceptions.RayError as error:
            said = (str(error).strip().splitlines() or [""])[-1].strip()
            raise UserError(
                "launch.ray",
                f"node {node.name} does not answer ({said[:200]})",
                "look at that node",
            ) from error


def _compare(node: Node, here: dict[str, Any], there: dict[str, Any], premises: Premises) -> None:
    name = f"node {node.name}"
    if there["python"] != here["python"]:
        raise _other(name, "Python", there["python"], here["python"])
    for package, version in here["packages"].items():
        if there["packages"][package] != version:
            raise _other(name, package, there["packages"][package], version)
    if not there["folder"]:
        raise UserError(
            "launch.ray",
            f"{name} has no folder {premises.folder}",
            "start from a folder that all nodes share",
        )
    if None in there["sources"]:
        raise UserError(
            "launch.ray",
            f"{name} has no judge-lightning",
            "install it there, or start in a clone that all nodes share",
        )
    if there["sources"] != here["sources"]:
        raise UserError(
            "launch.ray",
            f"{name} has another judge-lightning than this machine",
            "install the same commit on all nodes",
        )
    store = premises.artifacts
    if there["sign"] != here["sign"]:
        raise UserError(
            "artifacts_dir",
            f"{store} is not shared: {name} does not see what this machine writes there",
            "give a folder that all nodes mount: artifacts_dir=PATH",
        )
    if not there["writes"]:
        raise UserError(
            "artifacts_dir",
            f"{name} may not write to {store}",
            "give a folder that all nodes may write to: artifacts_dir=PATH",
        )
    for path, field in premises.models.items():
        if there["models"][str(path)] != here["models"][str(path)]:
            raise UserError(
                field,
                f"{path} is missing on {name}, or holds other files there",
                "put the model into a folder that all nodes share",
            )


def _other(name: str, what: str, there: str, here: str) -> UserError:
    return UserError(
        "launch.ray",
        f"{name} has {what} {there}, this machine has {here}",
        "install the same versions on all nodes (constraints.txt)",
    )
