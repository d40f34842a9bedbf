"""annotate: right and wrong answers joined into tuples, with a label for every token."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge_lightning.court.annotators import load_annotator
from judge_lightning.errors import UserError
from pipelines.annotating import annotator_settings, annotator_tools, check_annotating
from pipelines.config import RunConfig
from pipelines.durable import read_json
from pipelines.pair import load_pair_tokenizer
from pipelines.stage import Stage, StageContext

if TYPE_CHECKING:
    from judge_lightning.court.stretches import Stretch
    from judge_lightning.court.tuples import Court


class Annotate(Stage):
    """Writes ``tuples-<stretch>.parquet`` and what was left out of each stretch.

    A stretch is the prompts of one of mine's shards. It is complete when its ``.json`` is there;
    a run that finds it there goes on behind it.
    """

    name = "annotate"
    version = 2
    reads = ("prompts", "mine")

    def settings(self, config: RunConfig) -> dict[str, Any]:
        """The annotator and what it labels. The tokenizer is in ``mine``'s key already."""
        return {
            "annotator": annotator_settings(config),
            "after_mistake": config.annotate.after_mistake,
            "check_right": config.annotate.check_right,
            "minimum_tuples": config.mine.minimum_tuples,
        }

    def validate(self, config: RunConfig) -> None:
        """Refuses unknown annotators, options and labels."""
        check_annotating(config)
        if config.annotate.after_mistake not in ("ignored", "wrong"):
            raise UserError(
                "annotate.after_mistake",
                f"unknown value {config.annotate.after_mistake!r}",
                "one of ['ignored', 'wrong']",
            )
        if config.annotate.batch_size < 1:
            raise UserError("annotate.batch_size", "must be positive", "give 1 or more")

    def run(self, context: StageContext) -> None:
        """Labels the stretches that are missing, then counts them all."""
        from judge_lightning.court.stretches import read_stretches
        from judge_lightning.court.tuples import require_tuples

        config = context.config
        mined = read_json(context.inputs["mine"] / "statistics.json")
        require_tuples(mined["tuples"], config.mine.minimum_tuples)
        stretches = read_stretches(
            context.inputs["prompts"] / "prompts.jsonl", config.mine.shard_size
        )
        label = _labeller(context)
        total = -(-mined["prompts"] // config.mine.shard_size)
        facts = []
        for stretch in context.recorder.progress(stretches, total=total, unit="stretch"):
            path = context.work / f"stretch-{stretch.number:05d}.json"
            if not path.exists():
                _write_stretch(path, label(stretch))
            facts.append(read_json(path))
        _summarise(context, facts)


def _labeller(context: StageContext) -> Any:
    """A function that labels one stretch; what it needs is made once."""
    from judge_lightning.court.labels import TokenSpans
    from judge_lightning.court.stretches import read_answers
    from judge_lightning.court.tuples import label_court

    config = context.config
    annotate = load_annotator(config.annotate.name, annotator_tools(config))
    tokenizer = load_pair_tokenizer(config)
    spans = TokenSpans(tokenizer)

    def label(stretch: Stretch) -> Court:
        return label_court(
            stretch.prompts,
            read_answers(context.inputs["mine"], stretch.number),
            annotate,
            tokenizer,
            after_mistake=config.annotate.after_mistake,
            check_right=config.annotate.check_right,
            spans=spans,
        )

    return label


def _write_stretch(path: Path, court: Court) -> None:
    from judge_lightning.court.dataset.tables import write_table

    number = path.stem.rpartition("-")[2]
    write_table(path.with_name(f"tuples-{number}.parquet"), court.tuples)
    facts = {
        "tuples": len(court.tuples),
        "answers": court.answers,
        "generations": court.generations,
        "left_out": dict(sorted(court.left_out.items())),
        "rejected": [asdict(one) for one in court.rejected],
    }
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_text(json.dumps(facts, sort_keys=True) + "\n", encoding="utf-8")
    unfinished.replace(path)


def _summarise(context: StageContext, facts: list[dict[str, Any]]) -> None:
    from judge_lightning.court.rejects import (
        REJECTED_FILE,
        Rejected,
        count_reasons,
        refuse_too_many,
        write_rejected,
    )

    config = context.config
    rejected = [Rejected(**one) for stretch in facts for one in stretch["rejected"]]
    left_out: Counter[str] = Counter()
    for stretch in facts:
        left_out.update(stretch["left_out"])
    counts = {
        name: sum(stretch[name] for stretch in facts)
        for name in ("tuples", "answers", "generations")
    }
    reasons = count_reasons(rejected)
    write_rejected(context.work / REJECTED_FILE, rejected)
    statistics = {**counts, "left_out": dict(sorted(left_out.items())), "rejected": reasons}
    (context.work / "statistics.json").write_text(
        json.dumps(statistics, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )
    for name, value in counts.items():
        context.recorder.metric(name, value)
    context.recorder.metric("rejected", len(rejected))
    refuse_too_many("annotate.name", reasons, counts["answers"], config.data.max_rejected)
    if not counts["tuples"]:
        raise UserError(
            "annotate.name",
            f"{config.annotate.name} found no mistake (left out: {statistics['left_out']})",
            "choose another annotator, or mine more prompts",
        )


STAGE = Annotate()
