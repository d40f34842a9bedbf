"""The gate: when a run says no."""

from __future__ import annotations

from dataclasses import dataclass, field

from omegaconf import MISSING


@dataclass
class GateConfig:
    """What a decoder may lose at most (docs/evaluating.md). A refused run saves everything, and
    ends with exit status 3."""

    name: str = MISSING
    tolerance: float | None = None
    """A share of the score, such as 0.02: refused where the lower bound of the difference to the
    target alone lies below ``-tolerance``. None: nothing is refused."""
    decoders: list[str] = field(default_factory=lambda: ["judge"])
    """Whom it is asked of."""
    tasks: list[str] | None = None
    """On which of ``eval.tasks``; None: all."""
