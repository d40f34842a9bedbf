"""annotate: right and wrong answers joined into tuples, with a label for every token."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from typing import Any

from judge_lightning.crew import Alone
from judge_lightning.errors import UserError
from pipelines.annotating import annotator_settings, check_annotating
from pipelines.config import RunConfig
from pipelines.durable import read_json
from pipelines.labelling import LabelBench, StretchShard, stretch_facts
from pipelines.stage import Stage, StageContext


class Annotate(Stage):
    """Writes ``tuples-<stretch>.parquet`` and what was left out of each stretch.

    A stretch is the prompts of one of mine's shards. It is complete when its ``.json`` is there;
    a run that finds it there goes on behind it.
    """

    name = "annotate"
    version = 2
    reads = ("prompts", "mine")
    in_shards = True

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
        prompts = context.inputs["prompts"] / "prompts.jsonl"
        total = sum(1 for _ in read_stretches(prompts, config.mine.shard_size))
        facts = [stretch_facts(context.work, number) for number in range(total)]
        missing = (
            StretchShard(context.work, context.inputs["mine"], stretch)
            for stretch in read_stretches(prompts, config.mine.shard_size)
            if not facts[stretch.number].exists()
        )
        labelled = (context.crew or Alone()).carry_out(partial(LabelBench, config), missing)
        done = sum(path.exists() for path in facts)
        for _ in context.recorder.progress(labelled, total=total, unit="stretch", done=done):
            pass
        _summarise(context, [read_json(path) for path in facts])


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
