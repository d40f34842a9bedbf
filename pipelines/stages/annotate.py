"""annotate: right and wrong answers joined into tuples, with a label for every token."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from judge_lightning.court.annotators import load_annotator
from judge_lightning.court.records import SPLITS, Answer, Prompt, read_records, write_records
from judge_lightning.errors import UserError
from pipelines.annotating import annotator_settings, annotator_tools, check_annotating
from pipelines.config import RunConfig
from pipelines.pair import load_pair_tokenizer
from pipelines.stage import Stage, StageContext


class Annotate(Stage):
    """Writes ``tuples.jsonl``, ordered by split, and ``statistics.json``."""

    name = "annotate"
    reads = ("prompts", "mine")

    def settings(self, config: RunConfig) -> dict[str, Any]:
        """The annotator and what it labels. The tokenizer is in ``mine``'s key already."""
        return {
            "annotator": annotator_settings(config),
            "after_mistake": config.annotate.after_mistake,
            "maximum_tuples": config.annotate.maximum_tuples,
            "minimum_tuples": config.mine.minimum_tuples,
        }

    def validate(self, config: RunConfig) -> None:
        """Refuses unknown annotators, labels and impossible limits."""
        check_annotating(config)
        if config.annotate.after_mistake not in ("ignored", "wrong"):
            raise UserError(
                "annotate.after_mistake",
                f"unknown value {config.annotate.after_mistake!r}",
                "one of ['ignored', 'wrong']",
            )
        if config.annotate.maximum_tuples < 0:
            raise UserError("annotate.maximum_tuples", "is negative", "0 keeps all")

    def run(self, context: StageContext) -> None:
        """Labels all tuples and writes them with their statistics."""
        from judge_lightning.court.tuples import label_court, require_tuples

        config = context.config
        answers_of: dict[str, list[Answer]] = defaultdict(list)
        for path in sorted(context.inputs["mine"].glob("answers-*.jsonl")):
            for answer in read_records(path, Answer):
                answers_of[answer.prompt_id].append(answer)
        require_tuples(answers_of, config.mine.minimum_tuples)
        prompts = read_records(context.inputs["prompts"] / "prompts.jsonl", Prompt)
        answered = [prompt for prompt in prompts if prompt.id in answers_of]
        court = label_court(
            context.recorder.progress(answered, total=len(answered), unit="prompt"),
            answers_of,
            load_annotator(config.annotate.name, annotator_tools(config)),
            load_pair_tokenizer(config),
            after_mistake=config.annotate.after_mistake,
            maximum=config.annotate.maximum_tuples,
        )
        court.tuples.sort(key=lambda labelled: SPLITS.index(labelled.split))
        write_records(context.work / "tuples.jsonl", court.tuples)
        statistics = court.statistics()
        (context.work / "statistics.json").write_text(
            json.dumps(statistics, indent=1, sort_keys=True) + "\n", encoding="utf-8"
        )
        for name, value in statistics.items():
            if isinstance(value, (int, float)):
                context.recorder.metric(name, value)
        if not court.tuples:
            raise UserError(
                "annotate.name",
                f"{config.annotate.name} found no mistake (left out: {statistics['left_out']})",
                "choose another annotator, or mine more prompts",
            )


STAGE = Annotate()
