"""prompts: the sources' prompts, without duplicates, each in its split."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from judge_lightning.court.records import write_records
from judge_lightning.court.sources import Source, collect_prompts, validate_shares
from judge_lightning.errors import UserError
from pipelines.config import RunConfig, SourceConfig
from pipelines.stage import Stage, StageContext


class Prompts(Stage):
    """Writes ``prompts.jsonl`` and ``statistics.json``."""

    name = "prompts"

    def settings(self, config: RunConfig) -> dict[str, Any]:
        """The sources with the content of their files, the shares and the seed."""
        return {
            "sources": {name: _settings(source) for name, source in config.data.sources.items()},
            "shares": dict(config.data.shares),
            "seed": config.data.seed,
        }

    def validate(self, config: RunConfig) -> None:
        """Reads every local file to its end, so that a malformed line is named at once."""
        if not config.data.sources:
            raise UserError("data.sources", "is empty", "name at least one source of prompts")
        validate_shares(config.data.shares)
        for source in _sources(config):
            source.validate()

    def run(self, context: StageContext) -> None:
        """Collects, splits and writes the prompts."""
        data = context.config.data
        collection = collect_prompts(_sources(context.config), data.shares, data.seed)
        write_records(context.work / "prompts.jsonl", collection.prompts)
        statistics = collection.statistics()
        (context.work / "statistics.json").write_text(
            json.dumps(statistics, indent=1, sort_keys=True) + "\n", encoding="utf-8"
        )
        context.recorder.metric("prompts", statistics["prompts"])
        context.recorder.metric("duplicates", sum(collection.duplicates.values()))
        for split, count in statistics["splits"].items():
            context.recorder.metric(f"{split}_prompts", count)


def _sources(config: RunConfig) -> list[Source]:
    return [_source(name, source) for name, source in config.data.sources.items()]


def _source(name: str, source: SourceConfig) -> Source:
    return Source(
        name=name,
        kind=source.kind,
        family=source.family,
        checker=source.checker,
        split=source.split,
        count=source.count,
        path=source.path,
        subset=source.subset,
        hub_split=source.hub_split,
        prompt_field=source.prompt_field,
        reference_field=source.reference_field,
    )


def _settings(source: SourceConfig) -> dict[str, Any]:
    settings: dict[str, Any] = {
        name: getattr(source, name) for name in ("kind", "family", "split", "count", "checker")
    }
    if source.kind == "micro":
        return settings | {"world": _micro_world_digest()}
    settings |= {"fields": [source.prompt_field, source.reference_field]}
    if source.kind == "jsonl":
        # The content counts, not where the file lies.
        return settings | {"sha256": _file_digest(source.path)}
    return settings | {"path": source.path, "subset": source.subset, "hub_split": source.hub_split}


def _file_digest(path: str | None) -> str | None:
    try:
        return hashlib.sha256(Path(path or "").expanduser().read_bytes()).hexdigest()
    except OSError:
        return None  # validate() says which file and why.


def _micro_world_digest() -> str:
    """The micro world is code: what it asks follows from its modules."""
    from judge_lightning import micro

    digest = hashlib.sha256()
    for module in _WORLD_MODULES:
        digest.update((Path(micro.__path__[0]) / f"{module}.py").read_bytes())
    return digest.hexdigest()


_WORLD_MODULES = (
    "world", "word_problems", "code_programs", "multiple_choice", "arithmetic", "grammar",
)  # fmt: skip

STAGE = Prompts()
