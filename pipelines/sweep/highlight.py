"""What the pictures of a sweep share: a job's colour, and that one job can be shown alone.

Every chart has a parameter ``job``, the number of the job that the reader points at, here or in
another picture or in the table; ``jobs.js`` sets it in all of them. Its rows have a field ``job``.
"""

from __future__ import annotations

from typing import Any

import altair as alt

from pipelines.report.charts import colour
from pipelines.sweep.ranking import FELL, HELD, LOST, TOLERABLE

STYLES = {HELD: "judge", LOST: "target", FELL: "bad"}
"""Of each quality, the colour."""

KEY = [
    (STYLES[HELD], "no measurable loss"),
    (STYLES[LOST], f"up to {TOLERABLE * 100:g} points lost"),
    (STYLES[FELL], "more lost"),
]
_FAINT = 0.12


def tone(quality: str) -> str:
    """The colour of a job with this quality, for a chart."""
    return colour(STYLES[quality])


def pointed_at() -> alt.Parameter:
    """The job that the reader points at; null where it is none."""
    return alt.param(name="job", value=None)


def unless_another(opacity: float = 1.0) -> Any:
    """This opacity for all, and next to none for the others while one job is pointed at."""
    shown = "job == null || datum.job == job"
    return alt.condition(shown, alt.value(opacity), alt.value(_FAINT))
