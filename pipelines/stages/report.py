"""Report: the run's numbers as ``summary.json``, on one page, and as a table to print."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pipelines.acceptance import describe_text, labelling_settings
from pipelines.config import RunConfig
from pipelines.draft_length import draft_length_of, draft_length_setting
from pipelines.gate import gate_settings
from pipelines.stage import Stage, StageContext
from pipelines.stages.decode import used_rules
from pipelines.stand_in import describe_stand_in, timed_run

if TYPE_CHECKING:
    from pipelines.report.acceptance import AcceptanceMaterial
    from pipelines.report.mt_bench import MTBenchMaterial

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
    version = 5
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
        acceptance = _read_acceptance(context)
        if acceptance is None or "decode" in context.inputs:
            files, summary = self._judge_report(context, acceptance)
        else:
            files, summary = self._acceptance_report(context, acceptance)
        files["summary.json"] = json.dumps(summary, indent=2) + "\n"
        for name, text in files.items():
            (context.work / name).write_text(text, encoding="utf-8")
        context.volatile.update(files)
        for section in _SECTIONS:
            for name, value in _numbers(section, summary.get(section)):
                context.recorder.metric(name, value)

    def _judge_report(
        self, context: StageContext, acceptance: AcceptanceMaterial | None
    ) -> tuple[dict[str, str], dict[str, Any]]:
        """The files beside the summary, and the summary, of a run that decodes."""
        from pipelines.report.acceptance import summarise_acceptance
        from pipelines.report.acceptance_page import render_acceptance_terminal
        from pipelines.report.figures import figures
        from pipelines.report.html import render_html
        from pipelines.report.material import Identity, read_material
        from pipelines.report.mt_bench import render_mt_bench_terminal, summarise_mt_bench
        from pipelines.report.rules import pareto_picture
        from pipelines.report.safety import (
            read_safety,
            render_safety_terminal,
            summarise_safety,
        )
        from pipelines.report.summary import summarise
        from pipelines.report.terminal import render_terminal

        settings = self.settings(context.config)
        for section in ("acceptance", "mt_bench"):
            settings.pop(section, None)
        gate = settings.pop("gate", None)
        length = draft_length_of(context.config.engine)
        identity = Identity(
            **{
                **settings,
                "decoders": tuple(settings["decoders"]),
                "draft_length": length.longest,
                "adaptive": length.adaptive,
            }
        )
        material = read_material(identity, context.inputs, gate)
        mt_bench = _read_mt_bench(context)
        summary = summarise(material)
        checked = context.inputs.get("safety")
        safety = None if checked is None else read_safety(checked)
        files = {
            "report.html": render_html(material, acceptance, safety, mt_bench),
            "terminal.txt": render_terminal(material),
        }
        if mt_bench is not None:
            summary["mt_bench"] = summarise_mt_bench(mt_bench)
            files["terminal.txt"] += render_mt_bench_terminal(mt_bench)
        if acceptance is not None:
            summary["acceptance"] = summarise_acceptance(acceptance)
            files["terminal.txt"] += render_acceptance_terminal(acceptance)
        if safety is not None:
            summary["safety"] = summarise_safety(safety)
            files["terminal.txt"] += render_safety_terminal(safety)
        if material.pareto:
            files["pareto.svg"] = pareto_picture(material)
        shown = figures(material, summary, context.inputs["decode"])
        files["figures.json"] = json.dumps(shown, ensure_ascii=False) + "\n"
        return files, summary

    def _acceptance_report(
        self, context: StageContext, acceptance: AcceptanceMaterial
    ) -> tuple[dict[str, str], dict[str, Any]]:
        """The same of a run that offers texts to its target and decodes nothing."""
        from pipelines.manifest import Manifest
        from pipelines.report.acceptance_page import (
            AcceptanceRun,
            render_acceptance_page,
            render_acceptance_terminal,
            summarise_run,
        )

        pair = context.config.pair
        manifests = {stage: Manifest.read(folder) for stage, folder in context.inputs.items()}
        run = AcceptanceRun(context.config.exp, pair.name, describe_stand_in(pair), manifests)
        files = {
            "report.html": render_acceptance_page(run, acceptance),
            "terminal.txt": render_acceptance_terminal(acceptance),
        }
        return files, summarise_run(run, acceptance)


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


def _read_acceptance(context: StageContext) -> AcceptanceMaterial | None:
    if "acceptance" not in context.inputs:
        return None
    from pipelines.report.acceptance import AcceptanceIdentity, read_acceptance

    settings = _texts_settings(context.config)
    assert settings is not None, "the stage is wanted for its texts"
    identity = AcceptanceIdentity(**{**settings, "texts": dict(settings["texts"])})
    return read_acceptance(identity, context.inputs["acceptance"])


def _bench_settings(config: RunConfig) -> dict[str, str]:
    bench = config.mt_bench
    assert bench.grader is not None, "there is no MT-Bench"
    return {"grader": bench.grader.model, "sampling": bench.sampling}


def _read_mt_bench(context: StageContext) -> MTBenchMaterial | None:
    if "mt_bench" not in context.inputs:
        return None
    from pipelines.report.mt_bench import read_mt_bench

    return read_mt_bench(context.inputs["mt_bench"], **_bench_settings(context.config))


def _numbers(prefix: str, value: Any) -> Iterator[tuple[str, float]]:
    """The numbers in nested mappings, named by their path."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _numbers(f"{prefix}/{name}", inner)
    elif isinstance(value, int | float):
        yield prefix, float(value)


STAGE = Report()
