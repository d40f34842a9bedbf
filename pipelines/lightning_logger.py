"""Lightning's metrics in the pipeline's own record. Imported only when Lightning is in use."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from pipelines.stage import Recorder


class RecorderLogger(Logger):
    """A Lightning logger that hands every metric to the stage's recorder."""

    def __init__(self, recorder: Recorder, stage: str) -> None:
        super().__init__()
        self._recorder = recorder
        self._stage = stage

    @property
    def name(self) -> str:
        """The stage's name."""
        return self._stage

    @property
    def version(self) -> str:
        """Constant: the artifact's key is the version."""
        return "0"

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Records every metric; Lightning's own ``epoch`` is left to the step axis."""
        for name, value in metrics.items():
            if name != "epoch":
                self._recorder.metric(name, float(value), step)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        """Nothing: the composed configuration already holds them."""
