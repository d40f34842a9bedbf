"""Writes a sweep's page, its numbers and its table into the multirun's folder."""

from __future__ import annotations

from pathlib import Path

from pipelines.durable import point_to, write_json, write_text
from pipelines.run_folder import REPORT, SUMMARY
from pipelines.sweep.jobs import read_jobs
from pipelines.sweep.page import render_html
from pipelines.sweep.rows import Sweep, make_sweep


def write_sweep(folder: Path) -> Sweep:
    """Renders the jobs below ``folder`` and returns what they say.

    Raises:
        UserError: There are no jobs, or one cannot be read.
    """
    sweep = make_sweep(read_jobs(folder))
    write_json(folder / SUMMARY, sweep.as_json())
    write_text(folder / REPORT, render_html(sweep))
    return sweep


def point_latest_to(folder: Path) -> None:
    """``latest``, beside the experiments' folders, points to the whole sweep."""
    point_to(folder.parent.parent / "latest", folder)
