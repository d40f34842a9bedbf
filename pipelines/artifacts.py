"""The artifact store's command line: ``ls``, ``show``, ``lineage``, ``verify`` and ``gc``.

Called as ``python -m pipelines.artifacts COMMAND``. A KEY is any unambiguous prefix of an
artifact's key, also written ``stage/prefix``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.tree import Tree

from judge_lightning.errors import UserError
from pipelines.plan import SHORT_KEY
from pipelines.preflight import in_bytes
from pipelines.run_folder import SUMMARY
from pipelines.store import Artifact, ArtifactStore
from pipelines.terminal import open_console


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns its exit status: 0 well, 1 damage found, 2 a wrong command."""
    options = _parser().parse_args(arguments)
    command: Callable[[ArtifactStore, argparse.Namespace, Console], int] = options.command
    try:
        if not options.artifacts_dir.is_dir():
            raise UserError(
                "--artifacts-dir", f"{options.artifacts_dir} is no folder", "name an existing store"
            )
        return command(ArtifactStore(options.artifacts_dir), options, open_console())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def list_artifacts(store: ArtifactStore, options: argparse.Namespace, console: Console) -> int:
    """Prints all artifacts, the newest of each stage last, and what is unfinished."""
    table = Table("stage", "key", "size", "files", "seconds", "made (UTC)", "commit")
    for artifact in sorted(store.artifacts(), key=_stage_and_time):
        manifest = artifact.manifest
        table.add_row(
            artifact.stage,
            artifact.key[:SHORT_KEY],
            in_bytes(manifest.bytes),
            str(len(manifest.files)),
            f"{manifest.timings.get('seconds', 0.0):.1f}",
            str(manifest.timings.get("started", ""))[:19],
            str(manifest.origin.get("git_commit") or "")[:SHORT_KEY],
        )
    console.print(table)
    for stage, key in store.unfinished():
        console.print(f"unfinished: {stage}/{key[:SHORT_KEY]}")
    for folder in store.quarantined():
        console.print(f"damaged and moved aside: {folder}", soft_wrap=True)
    return 0


def show(store: ArtifactStore, options: argparse.Namespace, console: Console) -> int:
    """Prints one artifact's folder and its manifest as JSON."""
    artifact = find_by_prefix(store, options.key)
    print(artifact.path, file=sys.stderr)
    print(json.dumps(artifact.manifest.to_json(), indent=2, ensure_ascii=False))
    return 0


def lineage(store: ArtifactStore, options: argparse.Namespace, console: Console) -> int:
    """Prints what an artifact was made from, back to its sources."""

    def grow(tree: Tree, inputs: dict[str, str]) -> None:
        for stage, key in inputs.items():
            made_from = _inputs_of(store, stage, key)
            name = f"{stage}  [dim]{key[:SHORT_KEY]}[/]"
            branch = tree.add(name if made_from is not None else f"{name}  [red]not stored[/]")
            grow(branch, made_from or {})

    artifact = find_by_prefix(store, options.key)
    tree = Tree(f"[bold]{artifact.stage}[/]  [dim]{artifact.key[:SHORT_KEY]}[/]")
    grow(tree, artifact.manifest.inputs)
    console.print(tree)
    return 0


def verify(store: ArtifactStore, options: argparse.Namespace, console: Console) -> int:
    """Re-hashes artifacts; a damaged one is moved aside, so that the next run makes it again."""
    if options.key:
        artifact = find_by_prefix(store, options.key)
        chosen = [(artifact.stage, artifact.key)]
    else:
        chosen = store.published()
    damaged = 0
    for stage, key in chosen:
        problem = store.check(stage, key)
        damaged += problem is not None
        console.print(f"{stage:<10} {key[:SHORT_KEY]}  {problem or 'ok'}", soft_wrap=True)
    console.print(f"{len(chosen)} checked, {damaged} damaged")
    return 1 if damaged else 0


def collect_garbage(store: ArtifactStore, options: argparse.Namespace, console: Console) -> int:
    """Deletes what no run's ``summary.json`` refers to, directly or as an input of an input."""
    kept = _with_inputs(store, referenced_keys(options.output_dir))
    doomed = sorted({*store.published(), *store.unfinished()} - kept)
    freed = 0
    for stage, key in doomed:
        size = _size(store.path(stage, key)) + _size(store.work_path(stage, key))
        if options.dry_run:
            answer = "would be deleted"
        elif store.remove(stage, key):
            answer = "deleted"
        else:
            console.print(f"{stage:<10} {key[:SHORT_KEY]}  in use by a running process, kept")
            continue
        freed += size
        console.print(f"{stage:<10} {key[:SHORT_KEY]}  {in_bytes(size)}  {answer}")
    freed += store.empty_quarantine(pretend=options.dry_run)
    console.print(f"{in_bytes(freed)} {'would be freed' if options.dry_run else 'freed'}")
    return 0


def find_by_prefix(store: ArtifactStore, prefix: str) -> Artifact:
    """The artifact whose key (or ``stage/key``) starts with ``prefix``.

    Raises:
        UserError: There is none, or more than one.
    """
    stage, _, digits = prefix.rpartition("/")
    found = [
        artifact
        for artifact in store.artifacts()
        if artifact.key.startswith(digits) and stage in ("", artifact.stage)
    ]
    if not found:
        raise UserError("KEY", f"no artifact's key starts with '{prefix}'", "see `ls` for the keys")
    if len(found) > 1:
        names = ", ".join(f"{a.stage}/{a.key[:SHORT_KEY]}" for a in found[:4])
        raise UserError(
            "KEY", f"'{prefix}' fits {len(found)} artifacts ({names} ...)", "give more digits"
        )
    return found[0]


def referenced_keys(outputs: Path) -> set[tuple[str, str]]:
    """(stage, key) of everything that a run below ``outputs`` made or used.

    Raises:
        UserError: No run is found, or one cannot be read: nothing may be deleted then.
    """
    summaries = [*outputs.glob(f"*/*/{SUMMARY}"), *outputs.glob(f"*/multirun-*/*/{SUMMARY}")]
    if not summaries:
        raise UserError(
            "--output-dir",
            f"no run's {SUMMARY} is below {outputs}, so every artifact would be deleted",
            "name the folder of the runs to keep, or delete the store yourself",
        )
    keys: set[tuple[str, str]] = set()
    for path in summaries:
        try:
            stages = json.loads(path.read_text(encoding="utf-8"))["stages"]
            keys |= {(stage, outcome["key"]) for stage, outcome in stages.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                str(path), f"it cannot be read ({error})", "mend or delete that run's folder"
            ) from error
    return keys


def _with_inputs(store: ArtifactStore, keys: set[tuple[str, str]]) -> set[tuple[str, str]]:
    kept: set[tuple[str, str]] = set()
    waiting = list(keys)
    while waiting:
        stage, key = waiting.pop()
        if (stage, key) not in kept:
            kept.add((stage, key))
            waiting += (_inputs_of(store, stage, key) or {}).items()
    return kept


def _inputs_of(store: ArtifactStore, stage: str, key: str) -> dict[str, str] | None:
    manifest = store.manifest(stage, key)
    return None if manifest is None else manifest.inputs


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _stage_and_time(artifact: Artifact) -> tuple[str, str]:
    return artifact.stage, str(artifact.manifest.timings.get("started", ""))


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--artifacts-dir", type=Path, default=Path("artifacts"), metavar="DIR")
    parser = argparse.ArgumentParser(prog="python -m pipelines.artifacts", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        name: str,
        command: Callable[[ArtifactStore, argparse.Namespace, Console], int],
        description: str,
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, parents=[common], help=description)
        added.set_defaults(command=command)
        return added

    add("ls", list_artifacts, "list all artifacts")
    add("show", show, "print an artifact's manifest").add_argument("key", metavar="KEY")
    add("lineage", lineage, "print what an artifact was made from").add_argument(
        "key", metavar="KEY"
    )
    add("verify", verify, "re-hash artifacts, move damaged ones aside").add_argument(
        "key", metavar="KEY", nargs="?"
    )
    garbage = add("gc", collect_garbage, "delete what no run refers to")
    garbage.add_argument("--output-dir", type=Path, default=Path("outputs"), metavar="DIR")
    garbage.add_argument("--dry-run", action="store_true", help="only say what would go")
    return parser


if __name__ == "__main__":
    sys.exit(main())
