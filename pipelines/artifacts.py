"""The artifact store's command line: ``ls``, ``du``, ``show``, ``lineage``, ``verify`` and ``gc``.

Called as ``python -m pipelines.artifacts COMMAND``. A KEY is any unambiguous prefix of an
artifact's key, also written ``stage/prefix``. ``--artifacts-dir`` takes a folder or a URL such as
``s3://BUCKET/PREFIX``; ``push``, ``pull``, ``runs`` and ``forget`` are about a URL alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeAlias

from rich.console import Console
from rich.table import Table
from rich.tree import Tree

from judge_lightning.errors import UserError
from judge_lightning.store_folder import is_url
from pipelines.sizes import in_bytes
from pipelines.store import Artifact, ArtifactStore, Summary
from pipelines.store.address import Address
from pipelines.store.artifact import SHORT_KEY
from pipelines.store.cached import CachedStore
from pipelines.store.remote import RemoteStore
from pipelines.terminal import open_console

Store: TypeAlias = "ArtifactStore | RemoteStore"
Command: TypeAlias = "Callable[[Store, argparse.Namespace, Console], int]"

COLUMNS = ("stage", "key", "size", "files", "seconds", "made (UTC)", "commit")
_FRAMED_UP_TO = 500
"""Rows that get a frame; more are plain lines, which take a hundredth of the time."""


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns its exit status: 0 well, 1 damage found, 2 a wrong command."""
    options = _parser().parse_args(arguments)
    command: Command = options.command
    try:
        return command(_open(options.artifacts_dir), options, open_console())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def list_artifacts(store: Store, options: argparse.Namespace, console: Console) -> int:
    """Prints all artifacts, the newest of each stage last, and what is unfinished."""
    summaries = sorted(store.summaries(), key=lambda summary: (summary.stage, summary.made))
    _print_rows([_row(summary) for summary in summaries], console)
    if isinstance(store, ArtifactStore):
        for stage, key in store.unfinished():
            console.print(f"unfinished: {stage}/{key[:SHORT_KEY]}")
    for place in store.quarantined():
        console.print(f"damaged and moved aside: {place}", soft_wrap=True)
    return 0


def disk_usage(store: Store, options: argparse.Namespace, console: Console) -> int:
    """Prints how many artifacts each stage has, and their bytes."""
    sizes: dict[str, list[int]] = defaultdict(list)
    for summary in store.summaries():
        sizes[summary.stage].append(summary.bytes)
    table = Table("stage", "artifacts", "size")
    for stage, of_stage in sorted(sizes.items()):
        table.add_row(stage, f"{len(of_stage):,}", in_bytes(sum(of_stage)))
    everything = [size for of_stage in sizes.values() for size in of_stage]
    table.add_row("all", f"{len(everything):,}", in_bytes(sum(everything)))
    console.print(table)
    return 0


def show(store: Store, options: argparse.Namespace, console: Console) -> int:
    """Prints one artifact's place and its manifest as JSON."""
    found = find_summary(store, options.key)
    manifest = store.manifest(found.stage, found.key)
    if manifest is None:
        raise _gone(found)
    print(store.place(found.stage, found.key), file=sys.stderr)
    print(json.dumps(manifest.to_json(), indent=2, ensure_ascii=False))
    return 0


def lineage(store: Store, options: argparse.Namespace, console: Console) -> int:
    """Prints what an artifact was made from, back to its sources."""
    summaries = store.summaries()
    known = {(summary.stage, summary.key): summary.inputs for summary in summaries}

    def grow(tree: Tree, inputs: dict[str, str]) -> None:
        for stage, key in inputs.items():
            made_from = known.get((stage, key))
            name = f"{stage}  [dim]{key[:SHORT_KEY]}[/]"
            branch = tree.add(name if made_from is not None else f"{name}  [red]not stored[/]")
            grow(branch, made_from or {})

    artifact = _by_prefix(summaries, options.key)
    tree = Tree(f"[bold]{artifact.stage}[/]  [dim]{artifact.key[:SHORT_KEY]}[/]")
    grow(tree, artifact.inputs)
    console.print(tree)
    return 0


def verify(store: Store, options: argparse.Namespace, console: Console) -> int:
    """Re-hashes artifacts; a damaged one is moved aside, so that the next run makes it again."""
    if options.key:
        found = find_summary(store, options.key)
        chosen = [(found.stage, found.key)]
    elif isinstance(store, ArtifactStore):
        chosen = store.published()
    else:
        chosen = sorted(store.inventory().rows)
    damaged = 0
    for stage, key in chosen:
        problem = store.check(stage, key)
        damaged += problem is not None
        console.print(f"{stage:<10} {key[:SHORT_KEY]}  {problem or 'ok'}", soft_wrap=True)
    console.print(f"{len(chosen)} checked, {damaged} damaged")
    return 1 if damaged else 0


def collect_garbage(store: Store, options: argparse.Namespace, console: Console) -> int:
    """Deletes what no run refers to, directly or as an input of an input."""
    from pipelines.garbage import collect_locally, collect_remotely

    if isinstance(store, ArtifactStore):
        collect_locally(store, options.output_dir, console, options.dry_run)
    else:
        collect_remotely(store, options.output_dir, console, options.dry_run)
    return 0


def push(store: Store, options: argparse.Namespace, console: Console) -> int:
    """Puts what is only in the folder into the remote store, where ``gc`` then keeps it."""
    remote = _remote(store)
    there = {(summary.stage, summary.key) for summary in remote.summaries()}
    here = ArtifactStore(options.artifacts_cache)
    missing = [a for a in here.artifacts() if (a.stage, a.key) not in there]
    if missing:
        remote.references.add("push", [(a.stage, a.key) for a in missing])
    for artifact in missing:
        if here.find(artifact.stage, artifact.key) is None:
            console.print(f"{artifact.stage:<10} {artifact.key[:SHORT_KEY]}  damaged, left alone")
            continue
        remote.upload(artifact)
        size = in_bytes(artifact.manifest.bytes)
        console.print(f"{artifact.stage:<10} {artifact.key[:SHORT_KEY]}  {size}  put there")
    console.print(f"{len(missing)} were not in {remote.url}", soft_wrap=True)
    return 0


def pull(store: Store, options: argparse.Namespace, console: Console) -> int:
    """Fetches an artifact into the folder and prints where it is."""
    remote = _remote(store)
    found = find_summary(remote, options.key)
    local = CachedStore(options.artifacts_cache, remote)
    folder = local.fetched(found.stage, found.key)
    if local.find(found.stage, found.key) is None:
        raise _gone(found)
    print(folder)
    return 0


def list_runs(store: Store, options: argparse.Namespace, console: Console) -> int:
    """Prints which runs keep what in the remote store."""
    from pipelines.garbage import who_keeps_what

    remote = _remote(store)
    for line in who_keeps_what(remote.references.read(), remote.summaries()):
        console.print(line, soft_wrap=True)
    return 0


def forget(store: Store, options: argparse.Namespace, console: Console) -> int:
    """Lets the artifacts of a run go: the next ``gc`` deletes those that no other run keeps."""
    if not _remote(store).references.remove(options.run):
        raise UserError("RUN", f"there is no '{options.run}'", "see `runs` for the names")
    console.print(f"{options.run} keeps nothing any more; gc deletes what nothing else keeps")
    return 0


def find_summary(store: Store, prefix: str) -> Summary:
    """The artifact whose key (or ``stage/key``) starts with ``prefix``.

    Raises:
        UserError: There is none, or more than one.
    """
    return _by_prefix(store.summaries(), prefix)


def find_by_prefix(store: ArtifactStore, prefix: str) -> Artifact:
    """``find_summary`` in a folder, with the whole manifest."""
    found = find_summary(store, prefix)
    manifest = store.manifest(found.stage, found.key)
    if manifest is None:
        raise _gone(found)
    return Artifact(found.stage, found.key, store.path(found.stage, found.key), manifest)


def _by_prefix(summaries: Iterable[Summary], prefix: str) -> Summary:
    stage, _, digits = prefix.rpartition("/")
    found = [s for s in summaries if s.key.startswith(digits) and stage in ("", s.stage)]
    if not found:
        raise UserError("KEY", f"no artifact's key starts with '{prefix}'", "see `ls` for the keys")
    if len(found) > 1:
        names = ", ".join(f"{s.stage}/{s.key[:SHORT_KEY]}" for s in found[:4])
        raise UserError(
            "KEY", f"'{prefix}' fits {len(found)} artifacts ({names} ...)", "give more digits"
        )
    return found[0]


def _gone(found: Summary) -> UserError:
    name = f"{found.stage}/{found.key[:SHORT_KEY]}"
    return UserError("KEY", f"{name} is listed, but it is gone", "see what `verify` says of it")


def _row(summary: Summary) -> tuple[str, ...]:
    return (
        summary.stage,
        summary.key[:SHORT_KEY],
        in_bytes(summary.bytes),
        str(summary.files),
        f"{summary.seconds:.1f}",
        summary.made,
        summary.commit[:SHORT_KEY],
    )


def _print_rows(rows: list[tuple[str, ...]], console: Console) -> None:
    if len(rows) <= _FRAMED_UP_TO:
        table = Table(*COLUMNS)
        for row in rows:
            table.add_row(*row)
        console.print(table)
        return
    rows = [COLUMNS, *rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)) for row in rows]
    print("\n".join([*lines, f"{len(rows) - 1:,} artifacts"]))


def _open(place: str) -> Store:
    if is_url(place):
        return RemoteStore(Address.parse(place))
    folder = Path(place).expanduser()
    if not folder.is_dir():
        raise UserError("--artifacts-dir", f"{folder} is no folder", "name an existing store")
    return ArtifactStore(folder)


def _remote(store: Store) -> RemoteStore:
    if isinstance(store, ArtifactStore):
        raise UserError(
            "--artifacts-dir", f"{store.root} is a folder", "give a URL such as s3://BUCKET/PREFIX"
        )
    return store


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--artifacts-dir", default="artifacts", metavar="DIR_OR_URL")
    cache: dict[str, Any] = {"type": Path, "default": Path("artifacts"), "metavar": "DIR"}
    parser = argparse.ArgumentParser(prog="python -m pipelines.artifacts", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Command, description: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, parents=[common], help=description)
        added.set_defaults(command=command)
        return added

    add("ls", list_artifacts, "list all artifacts")
    add("du", disk_usage, "say how much each stage takes")
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
    add("push", push, "put what is only here into a remote store").add_argument(
        "--artifacts-cache", **cache
    )
    fetch = add("pull", pull, "fetch an artifact from a remote store")
    fetch.add_argument("key", metavar="KEY")
    fetch.add_argument("--artifacts-cache", **cache)
    add("runs", list_runs, "say which runs keep what in a remote store")
    add("forget", forget, "let the artifacts of a run go").add_argument("run", metavar="RUN")
    return parser


if __name__ == "__main__":
    sys.exit(main())
