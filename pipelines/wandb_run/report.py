"""The W&B report of one run: ``report.html``'s story, with panels that W&B draws from the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.wandb_run import report_tables as tables
from pipelines.wandb_run import report_text as text
from pipelines.wandb_run.figures import BARS, CHART_TABLE, LINES

TITLE_UP_TO = 128
"""Characters that W&B takes of a title."""


@dataclass(frozen=True)
class Place:
    """Where a report lies in W&B. ``entity`` is empty until somebody has logged in."""

    project: str
    entity: str = ""


@dataclass(frozen=True)
class FinishedRun:
    """What a report tells.

    Attributes:
        id: The run that the panels are about.
        group: W&B's group of the runs that it is compared with at the end.
        summary: Its ``summary.json``, whose numbers the report states.
        figures: Its ``figures.json``; of an older run it may be empty.
        command: What to type for the same run.
        trained_by: W&B's id of the run that trained its judge, where it was another one and is
            known.
    """

    id: str
    group: str
    summary: Mapping[str, Any]
    figures: Mapping[str, Any]
    command: str
    trained_by: str | None = None


def run_report(reports: Any, place: Place, run: FinishedRun) -> Any:
    """The report of a run; nothing is asked of any server.

    Args:
        reports: The module ``wandb_workspaces.reports.v2``.
    """
    summary = run.summary
    sentence = run.figures.get("sentence") or f"{summary['exp']} on {summary['pair']}"
    return reports.Report(
        project=place.project,
        entity=place.entity,
        title=f"{summary['exp']}: judge decoding on {summary['pair']}"[:TITLE_UP_TO],
        description=sentence,
        width="fluid",
        blocks=_Story(reports, run).blocks(sentence),
    )


def grid(reports: Any, name: str, filters: Any, panels: list[Any], *, hidden: bool = True) -> Any:
    """Panels over the runs that ``filters`` let through, of the report's own project."""
    return reports.PanelGrid(
        runsets=[reports.Runset(name=name, filters=filters)],
        panels=panels,
        hide_run_sets=hidden,
    )


def bars(reports: Any, title: str, metrics: list[str], *, width: int = 8) -> Any:
    """Bars of numbers that the runs' summaries hold."""
    layout = reports.Layout(w=width, h=8)
    return reports.BarPlot(title=title, metrics=metrics, orientation="v", layout=layout)


class _Story:
    def __init__(self, reports: Any, run: FinishedRun) -> None:
        from wandb_workspaces import expr

        self._wr, self._summary, self._command = reports, run.summary, run.command
        self._trained_by = run.trained_by
        self._this = [expr.Metric("ID") == run.id]
        self._all = [expr.Metric("Group") == run.group]
        tables = run.figures.get("tables", {})
        self._tables = {name for name, table in tables.items() if table["rows"]}

    def blocks(self, sentence: str) -> list[Any]:
        """The sections, in the order of ``report.html``."""
        wr, summary = self._wr, self._summary
        return [
            wr.TableOfContents(),
            wr.H1("The verdict" if summary.get("verdict") else "The run"),
            wr.CalloutBlock(text=sentence),
            *self._headline(),
            *self._answers(),
            *self._charts("Draft tokens that a cycle keeps", ["decode/accepted"]),
            *self._charts("Where the time of a cycle goes", ["decode/cycle_seconds"]),
            *self._rules(),
            *self._quality(),
            *self._section("MT-Bench", tables.bench_table(summary)),
            *self._judge(),
            *self._section("How much correct text is rejected", tables.acceptance_table(summary)),
            *self._section("Flagged texts", tables.safety_table(summary)),
            *self._court(),
            wr.H1("How to get the same"),
            wr.CodeBlock(self._command, language=None),
            wr.P(
                "Every stage is keyed by all that can change its result. The same keys are the"
                " aliases of the artifacts that this run has used and logged:"
            ),
            wr.MarkdownBlock(text.stages_table(summary)),
            wr.H2("Beside the other runs of this experiment"),
            grid(
                wr,
                "this experiment",
                self._all,
                [wr.RunComparer(diff_only="split", layout=wr.Layout(w=24, h=16))],
                hidden=False,
            ),
        ]

    def _headline(self) -> list[Any]:
        wr, decoders = self._wr, list(self._summary.get("decode", {}))
        if not decoders:
            return []
        titles = {
            "accepted_per_cycle": "Draft tokens kept per cycle",
            "right": "Share of right answers",
            "speedup": "Speed over the target alone",
        }
        panels = [
            bars(wr, title, [f"report/decode/{name}/{number}" for name in decoders])
            for number, title in titles.items()
        ]
        return [
            wr.MarkdownBlock(text.headline_table(self._summary)),
            wr.P(text.sources(self._summary)),
            grid(wr, "this run", self._this, panels),
        ]

    def _answers(self) -> list[Any]:
        if "decode/answers" not in self._tables:
            return []
        explained = (
            "Every token is coloured by its fate: kept by both rules, kept by the judge alone,"
            " corrected by the target. The table has what every decoder wrote to the prompt."
        )
        return [
            self._wr.H1("Answers, token by token"),
            self._wr.P(explained),
            grid(self._wr, "this run", self._this, [self._table("decode/answers", 20)]),
        ]

    def _quality(self) -> list[Any]:
        wr = self._wr
        if not self._summary.get("evaluate"):
            return []
        panels = [
            self._table(name, 12)
            for name in ("evaluate/tasks", "evaluate/paired")
            if name in self._tables
        ]
        return [
            wr.H1("What it cost: quality"),
            wr.MarkdownBlock(text.tasks_table(self._summary)),
            *([grid(wr, "this run", self._this, panels)] if panels else []),
        ]

    def _rules(self) -> list[Any]:
        by_family = tables.rules_tables(self._summary)
        if not by_family:
            return []
        blocks = [self._wr.H1("Acceptance rules")]
        for family, table in by_family.items():
            blocks += [self._wr.P(f"On {family!r} prompts:"), self._wr.MarkdownBlock(table)]
        return blocks

    def _section(self, title: str, table: str) -> list[Any]:
        return [self._wr.H1(title), self._wr.MarkdownBlock(table)] if table else []

    def _court(self) -> list[Any]:
        if not self._summary.get("court"):
            return []
        return [self._wr.H2("The court"), self._wr.MarkdownBlock(text.court_table(self._summary))]

    def _judge(self) -> list[Any]:
        wr = self._wr
        if not self._summary.get("judge"):
            return []
        panels = [] if text.is_cached(self._summary, "train") else self._training()
        panels[:0] = [
            self._chart(name)
            for name in ("train/layers", "calibrate/operating_curve")
            if name in self._tables
        ]
        return [
            wr.H1("The judge"),
            wr.MarkdownBlock(text.judge_table(self._summary)),
            *([grid(wr, "this run", self._this, panels)] if panels else []),
            *self._trained_before(),
            wr.H2("What the threshold promises"),
            wr.P(text.promise(self._summary)),
        ]

    def _training(self) -> list[Any]:
        wr = self._wr
        numbers = ("auroc", "average_precision", "recall", "kept")
        curves = {
            "Loss": ["train/loss", "train/validation/loss", "train/validation/best_loss"],
            "On the validation split": [f"train/validation/{name}" for name in numbers],
        }
        return [
            wr.LinePlot(title=title, x="train/step", y=metrics, layout=wr.Layout(w=12, h=8))
            for title, metrics in curves.items()
        ]

    def _trained_before(self) -> list[Any]:
        if not text.is_cached(self._summary, "train"):
            return []
        return [self._wr.P(text.where_it_was_trained(self._trained_by))]

    def _charts(self, title: str, names: list[str]) -> list[Any]:
        panels = [self._chart(name) for name in names if name in self._tables]
        if not panels:
            return []
        return [self._wr.H2(title), grid(self._wr, "this run", self._this, panels)]

    def _table(self, name: str, height: int) -> Any:
        layout = self._wr.Layout(w=24, h=height)
        return self._wr.WeavePanelSummaryTable(table_name=name, layout=layout)

    def _chart(self, name: str) -> Any:
        """The chart that the run itself has, by the same table and W&B's same drawing."""
        if name in LINES:
            x, y, stroke, title = LINES[name]
            drawing, fields = "wandb/line/v0", {"x": x, "y": y, "stroke": stroke}
        else:
            label, value, title = BARS[name]
            drawing, fields = "wandb/bar/v0", {"label": label, "value": value}
        return self._wr.CustomChart(
            query={"summaryTable": {"tableKey": CHART_TABLE.format(name)}},
            chart_name=drawing,
            chart_fields={field: column for field, column in fields.items() if column},
            chart_strings={"title": title},
            layout=self._wr.Layout(w=12, h=8),
        )
