"""Tensor parallelism: every block split over the processes that ``torchrun`` started."""

from __future__ import annotations

import os
from typing import Any

from judge_lightning.errors import UserError


def check_tensor_parallel(
    *, device_map: str | None, quantization: str | None, grown: bool, field: str = "tensor_parallel"
) -> None:
    """Refuses what cannot be split, before a file is read.

    Raises:
        UserError: It is combined with a device map, with quantization or with growth, or there
            are no processes to split over.
    """
    if device_map is not None:
        raise UserError(
            field,
            f"cannot be combined with device_map={device_map}: one splits blocks, one keeps them",
            "set one of the two to its default (device_map=null or tensor_parallel=false)",
        )
    if quantization is not None:
        raise UserError(
            field,
            f"cannot split weights that are quantized while they are loaded ({quantization})",
            "use quantization=null, or device_map=auto instead",
        )
    if grown:
        raise UserError(
            field, "cannot split a stand-in, which is grown in one process", "use device_map=auto"
        )
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or "LOCAL_RANK" not in os.environ:
        raise UserError(
            field,
            "needs the processes of torchrun, and there is one alone",
            "start with torchrun --nproc-per-node=GPUS SCRIPT, or use device_map=auto",
        )


def tensor_parallel_options() -> dict[str, Any]:
    """What ``from_pretrained`` is given: the plan that the architecture itself names.

    Newer versions of transformers take it as a ``DistributedConfig``, older ones bare.
    """
    try:
        from transformers.distributed import DistributedConfig

        return {"distributed_config": DistributedConfig(tp_plan="auto")}
    except (ImportError, TypeError):
        return {"tp_plan": "auto"}
