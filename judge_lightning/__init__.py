"""Judge decoding: train, calibrate and decode with a judge on a frozen target's embeddings.

The names below are imported when they are first used, so that the light parts of the package
(errors, records, fingerprints) cost no import of torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from judge_lightning.decoding.autoregressive import AutoregressiveDecoder
    from judge_lightning.decoding.decoder import SpeculativeDecoder
    from judge_lightning.generation import judge_generate
    from judge_lightning.heads import JudgeHead
    from judge_lightning.models.pair import load_pair
    from judge_lightning.runs import load_run

__all__ = [
    "AutoregressiveDecoder",
    "JudgeHead",
    "SpeculativeDecoder",
    "judge_generate",
    "load_pair",
    "load_run",
]

_HOMES = {
    "AutoregressiveDecoder": "judge_lightning.decoding.autoregressive",
    "JudgeHead": "judge_lightning.heads",
    "SpeculativeDecoder": "judge_lightning.decoding.decoder",
    "judge_generate": "judge_lightning.generation",
    "load_pair": "judge_lightning.models.pair",
    "load_run": "judge_lightning.runs",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
