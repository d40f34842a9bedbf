"""The W&B report of a sweep: its jobs side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.sweep.jobs import Job, axes_of
from pipelines.wandb_run import report_text as text
from pipelines.wandb_run.report import TITLE_UP_TO, Place, bars, grid

RESULTS = {
    "report/decode/judge/accepted_per_cycle": "accepted per cycle",
    "report/decode/judge/right": "right",
    "report/decode/judge/speedup": "speed-up",
    "report/judge/recall": "mistakes rejected",
    "report/judge/kept": "correct kept",
}
"""Numbers of a job's summary that a sweep compares, and what they are called."""


def sweep_report(reports: Any, place: Place, group: str, jobs: Sequence[Job], command: str) -> Any:
    """The report of a multirun; nothing is asked of any server.

    Args:
        reports: The module ``wandb_workspaces.reports.v2``.
        group: W&B's group of the jobs.
        command: What to type for the same sweep.
    """
    from wandb_workspaces import expr

    wr, axes = reports, axes_of(list(jobs))
    exp = str(jobs[0].settings.get("exp", ""))
    asked = str(jobs[0].settings.get("sweep.question") or "")
    runs = [expr.Metric("Group") == group]
    wide = wr.Layout(w=24, h=14)
    columns = [
        *(_column(wr, label, field) for label, field in axes.items()),
        *(_result(wr, name, label) for name, label in RESULTS.items()),
    ]
    pareto = wr.ScatterPlot(
        title="Kept per cycle against right answers",
        x=wr.SummaryMetric("report/decode/judge/accepted_per_cycle"),
        y=wr.SummaryMetric("report/decode/judge/right"),
        layout=wr.Layout(w=12, h=10),
    )
    return wr.Report(
        project=place.project,
        entity=place.entity,
        title=str(jobs[0].settings.get("sweep.title") or exp)[:TITLE_UP_TO],
        description=asked,
        width="fluid",
        blocks=[
            *([wr.CalloutBlock(text=asked)] if asked else []),
            wr.MarkdownBlock(_jobs_table(jobs, axes)),
            wr.H1("What goes with what"),
            grid(
                wr,
                "the sweep's jobs",
                runs,
                [
                    wr.ParallelCoordinatesPlot(columns=columns, layout=wide),
                    pareto,
                    bars(wr, "Draft tokens kept per cycle", [next(iter(RESULTS))], width=12),
                ],
                hidden=False,
            ),
            wr.H1("What differs"),
            grid(wr, "the sweep's jobs", runs, [wr.RunComparer(diff_only="split", layout=wide)]),
            wr.H1("How to get the same"),
            wr.CodeBlock(command, language=None),
        ],
    )


def _column(wr: Any, label: str, field: str) -> Any:
    metric = (
        wr.SummaryMetric(field.removeprefix("summary."))
        if field.startswith("summary.")
        else wr.Config(field)
    )
    return wr.ParallelCoordinatesPlotColumn(metric=metric, display_name=label)


def _result(wr: Any, name: str, label: str) -> Any:
    return wr.ParallelCoordinatesPlotColumn(metric=wr.SummaryMetric(name), display_name=label)


def _jobs_table(jobs: Sequence[Job], axes: Mapping[str, str]) -> str:
    results = {
        "accepted per cycle": "summary.decode.judge.accepted_per_cycle",
        "right": "summary.decode.judge.right",
        "speed-up": "summary.decode.judge.speedup",
        "mistakes rejected": "summary.judge.recall",
    }
    rows = [
        [
            job.name,
            *(job.value(field) for field in axes.values()),
            *(job.failed or _rounded(job.value(field)) for field in results.values()),
        ]
        for job in jobs
    ]
    return text.markdown_table(["job", *axes, *results], rows)


def _rounded(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, int | float) else ""
