"""Opening and closing vLLM's offline engine for one model."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from judge_lightning.errors import UserError
from judge_lightning.models.location import locate
from judge_lightning.models.pair import ModelSource
from judge_lightning.vllm_plugin.settings import KEY

_HINT = "install vllm in an environment of its own (docs/serving.md), or use inference=transformers"


@dataclass(frozen=True)
class VllmOptions:
    """How vLLM holds a model.

    Attributes:
        tensor_parallel: GPUs that share every block.
        memory: The share of a GPU's memory (on a CPU of the machine's) that it may take.
        arguments: More of vLLM's engine arguments, such as ``quantization`` or ``max_model_len``.
    """

    tensor_parallel: int = 1
    memory: float = 0.9
    arguments: Mapping[str, Any] = field(default_factory=dict)


def check_vllm(field: str = "inference.engine") -> None:
    """Raises UserError where vLLM is not installed."""
    if find_spec("vllm") is None:
        raise UserError(field, "vllm is not installed", _HINT)


def open_engine(source: ModelSource, options: VllmOptions, **more: Any) -> Any:
    """A ``vllm.LLM`` that takes and gives token ids.

    Raises:
        UserError: vLLM is not installed, refuses its arguments, or cannot hold the model this way.
    """
    check_vllm()
    if source.grow is not None or source.quantization is not None:
        what = "a stand-in" if source.grow is not None else f"quantization={source.quantization}"
        raise UserError(
            source.path,
            f"{what} is transformers' alone",
            "take it off, and quantize by inference.arguments.quantization where vLLM shall",
        )
    from vllm import LLM

    given = {
        "dtype": source.dtype,
        "tensor_parallel_size": options.tensor_parallel,
        "gpu_memory_utilization": options.memory,
        "skip_tokenizer_init": True,
        "trust_remote_code": False,
        # Whatever the environment says of a judge is for servers.
        "additional_config": {KEY: None},
        **more,
        **options.arguments,
    }
    if source.revision is not None:
        given["revision"] = source.revision
    try:
        return LLM(str(locate(source.path)), **given)
    except (TypeError, ValueError, RuntimeError) as error:
        problem = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError("inference", f"vLLM did not start: {problem}", "see its own lines above")\
            from error


def close_engine(engine: Any) -> None:
    """Ends the engine's processes, so that its memory is free for the next."""
    engine.llm_engine.engine_core.shutdown()
    del engine
    gc.collect()


def model_folder(source: ModelSource) -> Path | str:
    """Where transformers' classes find the model's description."""
    return locate(source.path)
