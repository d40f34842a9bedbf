"""How a metric is shown in W&B: its axis, what of it is summed up, and whether it has a panel."""

from __future__ import annotations

LARGEST = ("auroc", "average_precision", "accuracy", "recall", "kept", "right")
"""Of these the best value is the largest."""

SMALLEST = ("loss", "perplexity", "error")
"""Of these the best value is the smallest."""

PANELS = (
    "report/verdict/accepted_ratio",
    "report/verdict/speed_ratio",
    "report/verdict/right_change",
    "report/decode/judge/accepted_per_cycle",
    "report/decode/judge/right",
    "report/decode/judge/speedup",
    "report/decode/exact/accepted_per_cycle",
    "report/decode/exact/speedup",
    "report/judge/auroc",
    "report/judge/recall",
    "report/judge/kept",
)
"""Numbers without a step that get a panel of their own: what one looks at first. All others are in
the run's summary, where tables and reports find them; hundreds of panels would hide these."""


def step_axis(stage: str) -> str:
    """The metric over which a stage's others are drawn."""
    return f"{stage}/step"


def summary_of(metric: str) -> str:
    """What the run's summary keeps of a metric that has steps, as ``define_metric`` takes it."""
    name = metric.rsplit("/", 1)[-1]
    if name.startswith(LARGEST) or name.endswith(LARGEST):
        return "max,last"
    if name.startswith(SMALLEST) or name.endswith(SMALLEST):
        return "min,last"
    return "last"


def has_panel(metric: str) -> bool:
    """Whether a number without a step is shown by itself."""
    return metric in PANELS
