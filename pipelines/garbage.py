"""What may be thrown away: all that no run refers to, directly or as an input of an input."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from rich.console import Console

from judge_lightning.errors import UserError
from pipelines.run_folder import SUMMARY
from pipelines.sizes import in_bytes
from pipelines.store import ArtifactStore
from pipelines.store.artifact import SHORT_KEY, Summary
from pipelines.store.index import Name
from pipelines.store.references import Reference
from pipelines.store.remote import RemoteStore


def collect_locally(store: ArtifactStore, outputs: Path, console: Console, dry_run: bool) -> None:
    """Deletes what no run's ``summary.json`` refers to.

    Raises:
        UserError: No run is found, or one cannot be read: nothing is deleted then.
    """
    kept = with_inputs(referenced_keys(outputs), store.summaries())
    freed = 0
    for stage, key in sorted({*store.published(), *store.unfinished()} - kept):
        size = _size(store.path(stage, key)) + _size(store.work_path(stage, key))
        if not dry_run and not store.remove(stage, key):
            console.print(f"{stage:<10} {key[:SHORT_KEY]}  in use by a running process, kept")
            continue
        freed += size
        console.print(f"{stage:<10} {key[:SHORT_KEY]}  {in_bytes(size)}  {_answer(dry_run)}")
    freed += store.empty_quarantine(pretend=dry_run)
    console.print(f"{in_bytes(freed)} {'would be freed' if dry_run else 'freed'}")


def collect_remotely(store: RemoteStore, outputs: Path, console: Console, dry_run: bool) -> None:
    """Deletes what neither a run of anybody's (``.runs/``) nor one below ``outputs`` refers to.

    Raises:
        UserError: There is no run at all, or one cannot be read: nothing is deleted then.
    """
    inventory = store.inventory()
    # Read after that: what is published from here on is not in the inventory.
    references = store.references.read()
    keys = {name for reference in references.values() for name in reference.artifacts}
    if not references or any(outputs.glob(f"*/*/{SUMMARY}")):
        keys |= referenced_keys(outputs)
    kept = with_inputs(keys, inventory.rows.values())
    removed: set[Name] = set()
    for stage, key in sorted(inventory.bytes_of.keys() - kept):
        if not dry_run and not store.remove(stage, key):
            holder = store.leases.holder(stage, key) or "a running process"
            console.print(f"{stage:<10} {key[:SHORT_KEY]}  in use by {holder}, kept")
            continue
        removed.add((stage, key))
        torn = "" if (stage, key) in inventory.rows else "  (half uploaded)"
        size = in_bytes(inventory.bytes_of[stage, key])
        console.print(f"{stage:<10} {key[:SHORT_KEY]}  {size}  {_answer(dry_run)}{torn}")
    if not dry_run:
        store.empty_quarantine()
        store.write_index(inventory, removed)
    freed = in_bytes(sum(inventory.bytes_of[name] for name in removed))
    console.print(f"{freed} {'would be freed' if dry_run else 'freed'}")
    for line in who_keeps_what(references, inventory.rows.values()):
        console.print(line, soft_wrap=True)


def who_keeps_what(references: Mapping[str, Reference], summaries: Iterable[Summary]) -> list[str]:
    """A line for each run that keeps something in a remote store, the latest last."""
    summaries = list(summaries)
    sizes = {(summary.stage, summary.key): summary.bytes for summary in summaries}
    lines = []
    for name, reference in sorted(references.items(), key=lambda pair: pair[1].last):
        kept = with_inputs(reference.artifacts, summaries) & sizes.keys()
        size = in_bytes(sum(sizes[one] for one in kept))
        lines.append(
            f"{name} keeps {len(kept)} artifacts, {size}: {reference.by}, {reference.last[:19]}"
        )
    return lines


def referenced_keys(outputs: Path) -> set[Name]:
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
    keys: set[Name] = set()
    for path in summaries:
        try:
            stages = json.loads(path.read_text(encoding="utf-8"))["stages"]
            keys |= {(stage, outcome["key"]) for stage, outcome in stages.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                str(path), f"it cannot be read ({error})", "mend or delete that run's folder"
            ) from error
    return keys


def with_inputs(keys: Iterable[Name], summaries: Iterable[Summary]) -> set[Name]:
    """The keys and those of all that they were made from, as far as it is known."""
    inputs = {(summary.stage, summary.key): summary.inputs for summary in summaries}
    kept: set[Name] = set()
    waiting = list(keys)
    while waiting:
        name = waiting.pop()
        if name not in kept:
            kept.add(name)
            waiting += inputs.get(name, {}).items()
    return kept


def _answer(dry_run: bool) -> str:
    return "would be deleted" if dry_run else "deleted"


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
