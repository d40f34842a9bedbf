"""The pair: models, how they are loaded, and what a pair is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from judge_lightning.models.shape import Growth


@dataclass
class ModelConfig:
    """One model: a folder, a Hub name, or ``micro:<name>`` for an embedded one."""

    path: str = MISSING
    """A folder, a Hub name, or ``micro:<name>``."""
    revision: str | None = None
    dtype: str = "float32"
    """``float32``, ``bfloat16`` or ``float16``."""
    quantization: str | None = None
    """None, ``int8`` or ``nf4`` (bitsandbytes), or ``int8wo`` (torchao, weights only)."""
    device_map: str | None = None
    """*(free)* None keeps the model on the run's device; ``auto`` shards over all GPUs."""
    tensor_parallel: bool = False
    """*(free)* Split every block over the processes of ``torchrun`` (docs/loading.md): planned
    and described here, loaded in Python."""
    shape: dict[str, Any] = field(default_factory=dict)
    """The Hub config's fields (``model_type`` included), so that a plan needs no network."""
    grow: Growth | None = None
    """Decode with a stand-in: this model grown into a larger shape (docs/standins.md)."""


@dataclass
class PairConfig:
    name: str = MISSING
    target: ModelConfig = field(default_factory=ModelConfig)
    """The large model, which is frozen."""
    draft: ModelConfig = field(default_factory=ModelConfig)
    """The small one, with the same vocabulary."""
    chat_template: str | None = None
    """A Jinja file that overrides the tokenizer's own template."""
