"""Who runs the models where text is written or read in bulk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING


@dataclass
class InferenceConfig:
    """The engine under mining, rollouts and embeddings (docs/serving.md). What a judge is measured
    with is ``engine``, always."""

    name: str = MISSING
    engine: str = "transformers"
    """``transformers`` or ``vllm``. It is part of the keys of what it makes: kernels round
    differently, and each draws other samples."""
    tensor_parallel: int = 1
    """*(free)* vLLM: GPUs that share every block."""
    memory: float = 0.9
    """*(free)* vLLM: the share of a GPU's memory (on a CPU of the machine's) that it may take."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """vLLM: more of its engine arguments, such as ``quantization`` or ``max_model_len``."""
