"""Whether the configured models can be loaded at all: dtype, quantization, how they are split."""

from __future__ import annotations

from judge_lightning.errors import UserError
from judge_lightning.models.quantization import KINDS, check_quantization
from pipelines.config import RunConfig


def check_loading(config: RunConfig) -> None:
    """Refuses what cannot be loaded. A dry run plans for another machine, with other libraries.

    Raises:
        UserError: The quantization is unknown or not installed, or tensor parallelism is asked
            for, which stages of one process each do not have.
    """
    for role, model in (("target", config.pair.target), ("draft", config.pair.draft)):
        field = f"pair.{role}"
        if model.quantization is not None and model.quantization not in KINDS:
            raise UserError(
                f"{field}.quantization",
                f"{model.quantization!r} is unknown",
                f"use null, {', '.join(KINDS)}",
            )
        if model.tensor_parallel and model.device_map is not None:
            raise UserError(
                f"{field}.tensor_parallel",
                f"cannot be combined with device_map={model.device_map}",
                f"set {field}.device_map=null",
            )
        if config.dry_run:
            continue
        check_quantization(model.quantization, field=f"{field}.quantization")
        if model.tensor_parallel:
            raise UserError(
                f"{field}.tensor_parallel",
                "the stages of a run are one process each",
                f"set {field}.tensor_parallel=false {field}.device_map=auto, or use load_pair"
                " under torchrun (docs/loading.md)",
            )
