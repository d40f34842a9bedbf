"""Loading a stand-in: a seed grown where it shall run, quantized block by block."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from transformers import LlamaForCausalLM, PreTrainedModel

from judge_lightning.models.device_map import automatic_map, free_gpu_memory, no_room
from judge_lightning.models.growth import grow, grown_config, grown_shell
from judge_lightning.models.machine import this_machine
from judge_lightning.models.parts import DTYPE_BYTES, count_parts
from judge_lightning.models.quantization import quantize_block
from judge_lightning.models.shape import Growth, LlamaShape


def load_stand_in(
    seed: PreTrainedModel,
    growth: Growth,
    *,
    dtype: torch.dtype,
    quantization: str | None,
    device: str,
    device_map: str | None,
) -> LlamaForCausalLM:
    """Grows a loaded seed onto ``device``, or over all GPUs with a ``device_map``.

    ``quantization`` is one of ``quantization.KINDS`` or None; a block is quantized as soon as it
    is grown, so that one block at a time is held in ``dtype``.

    Raises:
        UserError: The seed is no plain Llama, the shape cannot hold its function, or the
            model does not fit the machine that a ``device_map`` spreads it over.
    """
    LlamaShape.of(seed.config.to_dict())
    assert isinstance(seed, LlamaForCausalLM)
    places: dict[str, Any] = {"": device}
    if device_map is not None:
        places = _spread(seed, growth, dtype, quantization)
    finish = partial(quantize_block, quantization, dtype) if quantization else None
    model = grow(seed, growth, dtype=dtype, places=places, finish_block=finish)
    if len(set(places.values())) > 1:
        from accelerate import dispatch_model

        dispatch_model(model, places)
    return model


def _spread(
    seed: LlamaForCausalLM, growth: Growth, dtype: torch.dtype, quantization: str | None
) -> dict[str, Any]:
    """An accelerate device map with whole blocks; without GPUs all is in the host's memory."""
    shell = grown_shell(grown_config(seed.config, growth), seed.config.vocab_size, dtype)
    kind = str(dtype).removeprefix("torch.")
    if torch.cuda.is_available():
        return dict(automatic_map(shell, free_gpu_memory(), kind, quantization))
    parts, memory = count_parts(shell, DTYPE_BYTES[kind], quantization), this_machine("cpu").memory
    if parts.total > memory[0]:
        raise no_room(parts, memory[0], "this machine's RAM", quantization or kind)
    return {"": "cpu"}
