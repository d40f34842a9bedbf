"""Report: the run's numbers as ``summary.json``, on one page, and as a table to print."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.config import RunConfig
from pipelines.draft_length import draft_length_of, draft_length_setting
from pipelines.stage import Stage, StageContext
from pipelines.stages.decode import used_rules
from pipelines.stand_in import describe_stand_in, timed_run


class Report(Stage):
    """Reads the artifacts before it; writes ``summary.json``, ``report.html``, ``terminal.txt``."""

    name = "report"
    version = 3
    reads = (
        *("prompts", "mine", "annotate", "dataset", "train", "calibrate", "certify"),
        *("decode", "speed", "evaluate", "acceptance"),
    )

    def settings(self, config: RunConfig) -> dict[str, Any]:
        timed = timed_run(config)
        return {
            "exp": config.exp,
            "pair": config.pair.name,
            "stand_in": describe_stand_in(config.pair),
            "speed_pair": timed.pair.name if timed else None,
            "speed_stand_in": describe_stand_in(timed.pair) if timed else None,
            "headline": config.eval.headline,
            "draft_length": draft_length_setting(config.engine),
            "temperature": config.engine.temperature,
            "decoders": list(config.verifier.decoders),
            "rules": used_rules(config),
        }

    def run(self, context: StageContext) -> None:
        from pipelines.report.html import render_html
        from pipelines.report.material import Identity, read_material
        from pipelines.report.rules import pareto_picture
        from pipelines.report.summary import summarise
        from pipelines.report.terminal import render_terminal

        settings = self.settings(context.config)
        length = draft_length_of(context.config.engine)
        identity = Identity(
            **{
                **settings,
                "decoders": tuple(settings["decoders"]),
                "draft_length": length.longest,
                "adaptive": length.adaptive,
            }
        )
        material = read_material(identity, context.inputs)
        summary = summarise(material)
        files = {
            "summary.json": json.dumps(summary, indent=2) + "\n",
            "report.html": render_html(material),
            "terminal.txt": render_terminal(material),
        }
        if material.pareto:
            files["pareto.svg"] = pareto_picture(material)
        for name, text in files.items():
            (context.work / name).write_text(text, encoding="utf-8")
        context.volatile.update(files)
        for section in ("verdict", "judge", "speed", "decode", "evaluate"):
            for name, value in _numbers(section, summary[section]):
                context.recorder.metric(name, value)


def _numbers(prefix: str, value: Any) -> Iterator[tuple[str, float]]:
    """The numbers in nested mappings, named by their path."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _numbers(f"{prefix}/{name}", inner)
    elif isinstance(value, int | float):
        yield prefix, float(value)


STAGE = Report()
