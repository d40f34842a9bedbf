"""Report: the run's numbers as ``summary.json``, on one page, and as a table to print."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.acceptance import describe_text, labelling_settings
from pipelines.config import RunConfig
from pipelines.draft_length import draft_length_setting
from pipelines.gate import gate_settings
from pipelines.stage import Stage, StageContext
from pipelines.stages.decode import used_rules
from pipelines.stand_in import describe_stand_in, timed_run

_SECTIONS = (
    *("verdict", "judge", "speed", "decode", "evaluate", "mt_bench"),
    *("acceptance", "safety"),
)
"""What of the summary is logged, number by number."""


class Report(Stage):
    """Reads the artifacts before it; writes ``summary.json``, ``report.html``, ``terminal.txt``.

    Of a run that decodes, ``figures.json`` has what the page's charts are drawn from.
    """

    name = "report"
    version = 7
    reads = (
        *("prompts", "mine", "annotate", "dataset", "train", "calibrate", "certify"),
        *("decode", "speed", "evaluate", "mt_bench", "acceptance", "safety"),
    )

    def settings(self, config: RunConfig) -> dict[str, Any]:
        timed = timed_run(config)
        texts = _texts_settings(config)
        gate = gate_settings(config)
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
            **({"acceptance": texts} if texts else {}),
            **({"gate": gate} if gate else {}),
            **({"mt_bench": _bench_settings(config)} if config.mt_bench.grader else {}),
        }

    def run(self, context: StageContext) -> None:
        from pipelines.report.faults import Faults
        from pipelines.report.figures import figures
        from pipelines.report.rendering import (
            read_report,
            render_acceptance_report,
            render_page,
            render_pictures,
            render_table,
            summarise_report,
        )

        settings, inputs = self.settings(context.config), context.inputs
        if "acceptance" in inputs and "decode" not in inputs:
            report = render_acceptance_report(settings, inputs)
            summary = report.summary
            files = {"report.html": report.page, "terminal.txt": report.table}
        else:
            faults = Faults(strict=True)
            material = read_report(settings, inputs, faults)
            summary = summarise_report(material)
            files = {
                "report.html": render_page(material, faults),
                "terminal.txt": render_table(material),
                **render_pictures(material),
            }
            shown = figures(material.run, summary, inputs["decode"])
            files["figures.json"] = json.dumps(shown, ensure_ascii=False) + "\n"
        files["summary.json"] = json.dumps(summary, indent=2) + "\n"
        for name, text in files.items():
            (context.work / name).write_text(text, encoding="utf-8")
        context.volatile.update(files)
        for section in _SECTIONS:
            for name, value in _numbers(section, summary.get(section)):
                context.recorder.metric(name, value)


def _texts_settings(config: RunConfig) -> dict[str, Any] | None:
    """What is said of the texts; their order is that of the report. None where there is none."""
    acceptance = config.acceptance
    if not acceptance.texts:
        return None
    return {
        "texts": [[name, describe_text(name, text)] for name, text in acceptance.texts.items()],
        "draft_length": acceptance.draft_length,
        "annotator": config.annotate.name if labelling_settings(config) is not None else None,
    }


def _bench_settings(config: RunConfig) -> dict[str, str]:
    bench = config.mt_bench
    assert bench.grader is not None, "there is no MT-Bench"
    return {"grader": bench.grader.model, "sampling": bench.sampling}


def _numbers(prefix: str, value: Any) -> Iterator[tuple[str, float]]:
    """The numbers in nested mappings, named by their path."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _numbers(f"{prefix}/{name}", inner)
    elif isinstance(value, int | float):
        yield prefix, float(value)


STAGE = Report()
