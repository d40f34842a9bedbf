"""prompts: the sources' prompts, filtered, each in its split."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from judge_lightning.court.collection import Collection, Filtered
from judge_lightning.court.filters import Filters
from judge_lightning.court.records import Prompt, write_records
from judge_lightning.court.rejects import REJECTED_FILE, RejectedFile
from judge_lightning.court.sources import Source
from judge_lightning.court.sources.places import local_files
from judge_lightning.errors import UserError
from pipelines.config import RunConfig, SourceConfig
from pipelines.durable import sha256_of_file
from pipelines.stage import Stage, StageContext

FILTERED_FILE = "filtered.jsonl"


class Prompts(Stage):
    """Writes ``prompts.jsonl``, ``rejected.jsonl``, ``filtered.jsonl`` and ``statistics.json``.

    Rejected are rows that hold no prompt; filtered are sound prompts that a filter left out.
    """

    name = "prompts"
    version = 2

    def settings(self, config: RunConfig) -> dict[str, Any]:
        """The sources with the content of their files, the filters, the shares and the seed."""
        return {
            "sources": {name: _settings(source) for name, source in config.data.sources.items()},
            "filters": asdict(_filters(config)),
            "shares": dict(config.data.shares),
            "seed": config.data.seed,
        }

    def validate(self, config: RunConfig) -> None:
        """Refuses sources whose files cannot be opened, and settings that cannot be meant."""
        if not config.data.sources:
            raise UserError("data.sources", "is empty", "name at least one source of prompts")
        if not 0.0 <= config.data.max_rejected <= 1.0:
            raise UserError(
                "data.max_rejected", f"{config.data.max_rejected} is no share", "give 0 to 1"
            )
        _collection(config)

    def run(self, context: StageContext) -> None:
        """Collects, filters, splits and writes the prompts, one at a time."""
        collection = _collection(context.config)
        with ExitStack() as files:
            rejected = files.enter_context(RejectedFile(context.work / REJECTED_FILE))
            filtered = files.enter_context(RejectedFile(context.work / FILTERED_FILE))

            def taken() -> Iterator[Prompt]:
                found = context.recorder.progress(collection, total=None, unit="prompt")
                for each in found:
                    if isinstance(each, Prompt):
                        yield each
                    else:
                        (filtered if isinstance(each, Filtered) else rejected).write(each)

            write_records(context.work / "prompts.jsonl", taken())
        _report(context, collection)


def _report(context: StageContext, collection: Collection) -> None:
    statistics = collection.statistics()
    (context.work / "statistics.json").write_text(
        json.dumps(statistics, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )
    metric = context.recorder.metric
    metric("prompts", statistics["prompts"])
    for split, count in statistics["splits"].items():
        metric(f"{split}_prompts", count)
    for kind in ("filtered", "rejected"):
        metric(kind, sum(statistics[kind].values()))
        for reason, count in statistics[kind].items():
            metric(f"{kind}_{_slug(reason)}", count)
        for name, counts in statistics["sources"].items():
            for reason, count in counts[kind].items():
                metric(f"{kind}_{_slug(reason)}_{name}", count)


def _slug(reason: str) -> str:
    return re.sub(r"\W+", "_", reason.lower())


def _collection(config: RunConfig) -> Collection:
    data = config.data
    sources = [_source(name, source) for name, source in data.sources.items()]
    return Collection(sources, data.shares, data.seed, _filters(config), data.max_rejected)


def _filters(config: RunConfig) -> Filters:
    filters = config.data.filters
    return Filters(
        minimum_characters=filters.minimum_characters,
        maximum_characters=filters.maximum_characters,
        languages=list(filters.languages),
        near_duplicates=filters.near_duplicates,
        decontaminate=list(filters.decontaminate),
        ngram=filters.ngram,
    )


def _source(name: str, source: SourceConfig) -> Source:
    return Source(
        name=name,
        format=source.format,
        family=source.family,
        checker=source.checker,
        split=source.split,
        count=source.count,
        path=source.path,
        hub=source.hub,
        subset=source.subset,
        hub_split=source.hub_split,
        revision=source.revision,
        prompt_field=source.prompt_field,
        reference_field=source.reference_field,
        licence=source.licence,
    )


def _settings(source: SourceConfig) -> dict[str, Any]:
    names = ("format", "family", "split", "count", "checker", "licence")
    settings: dict[str, Any] = {name: getattr(source, name) for name in names}
    if source.format == "micro":
        return settings | {"world": _micro_world_digest()}
    settings |= {"fields": [source.prompt_field, source.reference_field]}
    if source.path:
        # The content counts, not where the files lie.
        return settings | {"sha256": [_file_digest(path) for path in local_files(source.path)]}
    place = {name: getattr(source, name) for name in ("hub", "subset", "hub_split", "revision")}
    return settings | place | {"sha256": _folder_digests(source.hub)}


def _file_digest(path: Path) -> str | None:
    try:
        return sha256_of_file(path)
    except OSError:
        return None  # validate() says which file and why.


def _folder_digests(hub: str | None) -> list[str | None]:
    """What a local folder holds that is read like a data set of the Hub; nothing for a name."""
    folder = Path(hub or "").expanduser()
    if not hub or not folder.is_dir():
        return []
    return [_file_digest(path) for path in sorted(folder.rglob("*")) if path.is_file()]


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
