"""A sweep as one HTML file, in the manner of a run's report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from evals.paper import SOURCE
from pipelines.report.cards import Card
from pipelines.report.page import packaged_text, render_page, styles
from pipelines.report.scripts import CHARTS, page_scripts
from pipelines.report.wording import percent, points
from pipelines.run_folder import REPORT
from pipelines.sweep.commands import job_command, sweep_command
from pipelines.sweep.paper_table import paper_rows
from pipelines.sweep.parallel import Outcome, parallel_card
from pipelines.sweep.pictures import Matrix, cards, matrices
from pipelines.sweep.ranking import Ranking, describe, in_order, rank, verdict
from pipelines.sweep.rows import FamilyNumbers, Row, Sweep, show_value
from pipelines.sweep.safety import safety_tables

_PACKAGE = "pipelines.sweep"
_AXIS_WIDTH = 92
_SCRIPTS = ("sorting.js", "jobs.js")


@dataclass(frozen=True)
class Column:
    """A column that is left out where all jobs have the same in it."""

    label: str
    pick: Outcome
    write: Callable[[float], str]

    def text(self, row: Row, one: FamilyNumbers) -> str:
        """What stands in the cell."""
        value = self.pick(row, one)
        return NOTHING if value is None else self.write(value)


NOTHING = "–"
COLUMNS = (
    Column("AUROC", lambda row, one: row.auroc, lambda x: f"{x:.3f}"),
    Column("threshold", lambda row, one: row.threshold, lambda x: f"{x:.3g}"),
    Column("mistakes rejected", lambda row, one: row.recall, percent),
    Column("standard rule keeps", lambda row, one: one.exact, lambda x: f"{x:.2f}"),
    Column("speed-up", lambda row, one: one.speedup, lambda x: f"{x:.2f}×"),
    Column("draft alone", lambda row, one: one.draft, percent),
)


@dataclass(frozen=True)
class View:
    """What the page says of one family of prompts, or of one decoder on it."""

    name: str
    verdict: str
    ranking: Ranking
    rows: list[Row]
    parallel: Card | None
    cards: list[Card]
    matrices: list[Matrix]

    def fronts(self, row: Row) -> str:
        """Which Pareto fronts a job is on."""
        on = [name for name, numbers in self.ranking.fronts.items() if row.number in numbers]
        return "both" if len(on) > 1 else "".join(on)

    @property
    def parallel_width(self) -> int:
        """Pixels that the parallel coordinates want; on a narrower page they are scrolled."""
        assert self.parallel is not None, "there is no such picture"
        axes = {row["axis"] for row in self.parallel.chart.rows}
        return _AXIS_WIDTH * len(axes)

    @property
    def columns(self) -> list[Column]:
        """The columns beside the main ones that tell jobs apart."""
        return [column for column in COLUMNS if len(self._texts(column)) > 1]

    @property
    def alike(self) -> str:
        """What all jobs have alike, in words."""
        found = [(column.label, self._texts(column)) for column in COLUMNS]
        told = (f"{label} {texts[0]}" for label, texts in found if len(texts) == 1)
        return _unbroken(", ".join(text for text in told if not text.endswith(NOTHING)))

    def _texts(self, column: Column) -> list[str]:
        return list(dict.fromkeys(column.text(row, row.views[self.name]) for row in self.rows))


def render_html(sweep: Sweep) -> str:
    """The whole page; links lead to the jobs' own reports beside it."""
    views = [_view(sweep, name) for name in sweep.views]
    best = views[0].ranking.best if views else None
    jobs = {job.name: job for job in sweep.jobs}
    return render_page(
        "sweep.html.j2",
        _PACKAGE,
        scripts=page_scripts(CHARTS, more=[packaged_text(name, _PACKAGE) for name in _SCRIPTS]),
        css=styles("report.css") + styles("sweep.css", package=_PACKAGE),
        sweep=sweep,
        views=views,
        best=best,
        best_name=describe(sweep, best) if best else "",
        commands={
            "sweep": sweep_command(sweep.jobs),
            "best": job_command(jobs[best.job]) if best else None,
        },
        pages={job.name: f"{job.name}/{REPORT}" for job in sweep.jobs if job.has_page},
        value=show_value,
        points=points,
        safety=safety_tables(sweep.done, show_value),
        paper=paper_rows(sweep) if sweep.beside else [],
        paper_source=SOURCE,
        warned=any(one.shifted for row in sweep.done for one in row.views.values()),
        pairs=sorted({str(job.summary.get("pair")) for job in sweep.jobs}),
    )


def _unbroken(sentence: str) -> str:
    """A sentence in which no number is parted from its unit or its error."""
    for sign in (" %", " ± ", " points"):
        sentence = sentence.replace(sign, sign.replace(" ", "\u00a0"))
    return sentence


def _view(sweep: Sweep, name: str) -> View:
    return View(
        name,
        _unbroken(verdict(sweep, name)),
        rank(sweep, name),
        [row for row in in_order(sweep, name) if name in row.views],
        parallel_card(sweep, name),
        cards(sweep, name),
        matrices(sweep, name),
    )
