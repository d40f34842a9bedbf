"""What the stages before it know about a data set, gathered for its card and its table."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from judge_lightning.court.dataset.card import CardFacts, DrafterFacts, SourceFacts
from judge_lightning.court.tuples import REFERENCE_AUTHOR, TARGET_AUTHOR
from pipelines.config import DrafterConfig, RunConfig
from pipelines.durable import read_json

if TYPE_CHECKING:
    from judge_lightning.court.dataset.assembly import Assembled

_WIDTH = 100


def card_facts(
    config: RunConfig,
    inputs: Mapping[str, Path],
    assembled: Assembled,
    rejected: Counter[str],
) -> CardFacts:
    """The card's facts from the configuration and the statistics of the earlier stages.

    ``rejected`` counts the reasons of all records that could not be used.
    """
    prompts = _statistics(inputs["prompts"])
    mined = _statistics(inputs["mine"])
    annotated = _statistics(inputs["annotate"])
    left_out = Counter(annotated["left_out"]) + assembled.left_out
    return CardFacts(
        name=config.data.name,
        statistics=assembled.statistics.as_json(),
        sources=_sources(config, prompts, assembled),
        drafters=_drafters(config, mined),
        annotator=config.annotate.name,
        after_mistake=config.annotate.after_mistake,
        tokenizer=f"`{config.pair.target.path}`",
        examples=assembled.examples,
        left_out=dict(left_out.most_common()),
        rejected=dict(rejected.most_common()),
        removed=dict(prompts["filtered"]),
        reviewed=dict(assembled.reviewed.most_common()),
        made_with=f"python -m pipelines.run +exp={config.exp}",
    )


def dataset_table(statistics: Mapping[str, Any]) -> str:
    """The end of a run that makes a data set, for the terminal."""
    table = Table(title="the court", title_justify="left")
    table.add_column("", style="bold")
    table.add_column("", justify="right")
    for name, value in _rows(statistics):
        table.add_row(name, value)
    console = Console(file=io.StringIO(), width=_WIDTH, highlight=False)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


def _rows(statistics: Mapping[str, Any]) -> list[tuple[str, str]]:
    splits = ", ".join(f"{count:,} {split}" for split, count in statistics["splits"].items())
    rows = [
        ("tuples", f"{statistics['tuples']:,} ({splits})"),
        ("questions", f"{statistics['prompts']:,}"),
        ("labelled tokens", f"{statistics['tokens']:,}"),
        ("tokens of mistakes", f"{statistics['mistake_tokens']:,}"),
    ]
    rows += [(f"left out: {why}", f"{count:,}") for why, count in statistics["left_out"].items()]
    rows += [(f"rejected: {why}", f"{count:,}") for why, count in statistics["rejected"].items()]
    return rows


def _sources(
    config: RunConfig, prompts: Mapping[str, Any], assembled: Assembled
) -> list[SourceFacts]:
    names = [name for name in config.data.sources if name in assembled.statistics.sources]
    counted = prompts["sources"]
    return [
        SourceFacts(
            name=name,
            prompts=counted[name]["taken"],
            url=counted[name]["about"]["url"] or "",
            licence=counted[name]["about"]["licence"] or "",
        )
        for name in names
    ]


def _drafters(config: RunConfig, mined: Mapping[str, Any]) -> list[DrafterFacts]:
    return [
        DrafterFacts(
            name=author,
            what=_described(config, author),
            answers=mined["answers"][author],
            right=mined["accuracy"][author],
        )
        for author in sorted(mined["answers"])
    ]


def _described(config: RunConfig, author: str) -> str:
    """Who an author is, in a few words."""
    if author == REFERENCE_AUTHOR:
        return "the questions' own references"
    drafter = config.mine.drafters.get(author, DrafterConfig(model=TARGET_AUTHOR))
    if drafter.kind == "text":
        return f"`{drafter.answer_field}` of {Path(drafter.path or '').name}"
    model = drafter.endpoint.model if drafter.endpoint is not None else drafter.model
    own = {"target": config.pair.target.path, "draft": config.pair.draft.path}
    how = f"temperature {drafter.temperature:g}" if drafter.temperature else "greedy"
    samples = f", {drafter.samples} samples" if drafter.samples > 1 else ""
    return f"`{own.get(model, model)}`, {how}{samples}"


def _statistics(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = read_json(folder / "statistics.json")
    return found
