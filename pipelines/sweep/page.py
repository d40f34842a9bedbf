"""A sweep as one HTML file, in the manner of a run's report."""

from __future__ import annotations

from evals.paper import SOURCE
from pipelines.report.page import render_page, styles
from pipelines.report.scripts import CHARTS, page_scripts
from pipelines.report.wording import points
from pipelines.run_folder import REPORT
from pipelines.sweep.paper_table import paper_rows
from pipelines.sweep.pictures import cards, matrices
from pipelines.sweep.rows import Sweep
from pipelines.sweep.safety import safety_tables
from pipelines.sweep.terminal import show_value


def render_html(sweep: Sweep) -> str:
    """The whole page; links lead to the jobs' own reports beside it."""
    views = sweep.views
    return render_page(
        "sweep.html.j2",
        "pipelines.sweep",
        scripts=page_scripts(CHARTS),
        css=styles("report.css"),
        sweep=sweep,
        several=len(views) > 1,
        sections=[(family, cards(sweep, family), matrices(sweep, family)) for family in views],
        pages={job.name: f"{job.name}/{REPORT}" for job in sweep.jobs if job.has_page},
        value=show_value,
        points=points,
        safety=safety_tables(sweep.done, show_value),
        paper=paper_rows(sweep) if sweep.beside else [],
        paper_source=SOURCE,
        warned=any(one.shifted for row in sweep.done for one in row.views.values()),
        pairs=sorted({str(job.summary.get("pair")) for job in sweep.jobs}),
    )
