"""The report of a finished run again, from what its folder and the store still have.

What is missing, of an older version or damaged costs its own part of the page, and is named there.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from judge_lightning.errors import UserError
from judge_lightning.runs.artifacts import find_store
from judge_lightning.store_folder import folder_of_store
from pipelines.composition import typed_config
from pipelines.durable import read_json
from pipelines.manifest import Manifest, ManifestError, damage, read_lineage
from pipelines.report.faults import Faults
from pipelines.report.material import Identity
from pipelines.report.rendering import (
    read_report,
    render_acceptance_report,
    render_page,
    render_table,
)
from pipelines.report.this_run import ThisRun, command_of, put_into
from pipelines.run_folder import CONFIG, SUMMARY

REPORT_STAGE = "report"


@dataclass(frozen=True)
class Again:
    """A page, the terminal's table, and what was missing, a line each."""

    page: str
    table: str
    missing: list[str]


def render_again(folder: Path, artifacts_dir: Path | None = None) -> Again:
    """Renders the run in ``folder``; nothing is run and nothing is written.

    Args:
        artifacts_dir: The store; None looks for the one that the run has used.

    Raises:
        UserError: It is no run's folder.
    """
    _check_folder(folder)
    faults = Faults()
    summary, config = _read_folder(folder, faults)
    keys = _keys(summary)
    if not keys:
        faults.add(SUMMARY, "it names no artifact, so that none can be shown")
    store = artifacts_dir or find_store(folder_of_store(config), folder.resolve(), keys.items())
    inputs = _inputs(store, keys, summary, faults)
    settings = _settings(inputs, config, faults)
    made_from = {stage: path for stage, path in inputs.items() if stage != REPORT_STAGE}
    unknown = _identity(summary, config)
    texts = None
    if settings and "acceptance" in made_from and not _decodes(keys, inputs):
        known, path = settings, made_from.copy()
        texts = faults.shown("Texts", lambda: render_acceptance_report(known, path, faults))
        del made_from["acceptance"]
    if texts is not None:
        page, table = texts.page, texts.table
    else:
        page, table = _render(settings or {}, made_from, unknown, faults)
    with faults.reading("What is said of this run alone"):
        run = ThisRun.of(summary, _text(folder / CONFIG), command_of(folder))
        page = put_into(page, run)
    return Again(page, table, faults.lines)


def _decodes(keys: Mapping[str, str], inputs: Mapping[str, Path]) -> bool:
    """Whether decoding is a stage of the run, or one that its report was made from."""
    stages = {*keys, *inputs}
    if REPORT_STAGE in inputs:
        with suppress(ManifestError):  # Already named.
            stages |= Manifest.read(inputs[REPORT_STAGE]).inputs.keys()
    return "decode" in stages


def _render(
    settings: Mapping[str, Any], inputs: Mapping[str, Path], unknown: Identity, faults: Faults
) -> tuple[str, str]:
    whole = read_report(settings, inputs, faults, unknown)
    page = render_page(whole, faults)
    table = faults.shown("the terminal's table", lambda: render_table(whole)) or ""
    return page, table


def _check_folder(folder: Path) -> None:
    remedy = "give a run's folder, outputs/EXPERIMENT/TIME or outputs/latest"
    if not folder.is_dir():
        raise UserError("RUN", f"{folder} is no folder", remedy)
    if (folder / SUMMARY).is_file() or (folder / CONFIG).is_file():
        if any(folder.glob(f"*/{CONFIG}")):
            raise UserError(
                "RUN",
                f"{folder} is a sweep's",
                f"give one of its jobs, or `python -m pipelines.sweep {folder}`",
            )
        return
    jobs = sorted(path.parent for path in folder.glob(f"*/{CONFIG}"))
    if jobs:
        remedy = f"give one of its runs, such as {jobs[-1]}"
    raise UserError(
        "RUN", f"{folder} is no run's folder: it has neither {SUMMARY} nor {CONFIG}", remedy
    )


def _read_folder(folder: Path, faults: Faults) -> tuple[dict[str, Any], dict[str, Any]]:
    """``summary.json`` and ``config.yaml``; empty where they cannot be read."""
    summary: dict[str, Any] = {}
    config: dict[str, Any] = {}
    with faults.reading(SUMMARY):
        summary = _object(read_json(folder / SUMMARY))
    with faults.reading(CONFIG):
        config = _object(OmegaConf.to_container(OmegaConf.load(folder / CONFIG)))
    if summary.get("failed"):
        faults.add("The run", f"it ended early: {summary['failed']}")
    elif summary and not summary.get("run"):
        faults.add("The run", "it is not finished, or was stopped")
    return summary, config


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"it holds a {type(value).__name__} where an object belongs")
    return value


def _keys(summary: Mapping[str, Any]) -> dict[str, str]:
    stages = summary.get("stages")
    found = stages if isinstance(stages, Mapping) else {}
    return {
        stage: outcome["key"]
        for stage, outcome in found.items()
        if isinstance(outcome, Mapping) and isinstance(outcome.get("key"), str)
    }


def _inputs(
    store: Path | None, keys: Mapping[str, str], summary: Mapping[str, Any], faults: Faults
) -> dict[str, Path]:
    """The folders of the run's artifacts that are there, and of those they were made from."""
    if store is None:
        if keys:
            faults.add("The artifacts", "their folder was not found; name it with --artifacts-dir")
        return {}
    found = {}
    for stage, key in keys.items():
        folder = store / stage / key
        if not folder.is_dir():
            done = (summary["stages"][stage] or {}).get("seconds") is not None
            missing = f"its artifact {key[:8]} is no longer in {store}"
            faults.add(stage, missing if done else "the run did not come so far")
            continue
        found[stage] = folder
        with faults.reading(stage):
            if problem := damage(folder, Manifest.read(folder), hash_up_to=0):
                faults.add(stage, problem)
    return {**_made_from(store, found), **found}


def _made_from(store: Path, inputs: Mapping[str, Path]) -> dict[str, Path]:
    """What a run of a part of the graph took from others."""
    manifests = {}
    for stage, folder in inputs.items():
        try:
            manifests[stage] = Manifest.read(folder)
        except ManifestError:
            continue
    known = read_lineage(manifests, inputs)
    return {stage: store / stage / manifest.key for stage, manifest in known.items()}


def _settings(
    inputs: Mapping[str, Path], config: Mapping[str, Any], faults: Faults
) -> dict[str, Any] | None:
    """Of the report, as its artifact has them, else as the configuration says."""
    if REPORT_STAGE in inputs:
        try:
            return Manifest.read(inputs[REPORT_STAGE]).settings
        except ManifestError:
            pass  # Already named.
    settings = None
    if config:
        from pipelines.stages.report import STAGE

        with faults.reading(f"{CONFIG}: the report's settings"):
            settings = STAGE.settings(typed_config(OmegaConf.create(dict(config))))
    return settings


def _identity(summary: Mapping[str, Any], config: Mapping[str, Any]) -> Identity:
    """As much as is known of a run whose report nobody can have."""
    pair = config.get("pair")
    named = pair.get("name") if isinstance(pair, Mapping) else pair
    return Identity(
        exp=str(summary.get("exp") or config.get("exp") or "unknown"),
        pair=str(summary.get("pair") or named or "unknown"),
        headline="",
        draft_length=0,
        temperature=0.0,
        decoders=(),
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="backslashreplace")
    except OSError:
        return ""
