"""Loading a stand-in: a seed grown where it shall run, quantized block by block."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from transformers import LlamaForCausalLM, PreTrainedModel

from judge_lightning.errors import UserError
from judge_lightning.models.growth import grow, grown_config, grown_shell
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

    ``quantization`` is None, ``int8`` or ``nf4``; a block is quantized as soon as it is grown,
    so that one block at a time is held in ``dtype``.

    Raises:
        UserError: The seed is no plain Llama, the shape cannot hold its function, or the
            model does not fit the machine that a ``device_map`` spreads it over.
    """
    LlamaShape.of(seed.config.to_dict())
    assert isinstance(seed, LlamaForCausalLM)
    places: dict[str, Any] = {"": device}
    if device_map is not None:
        places = _spread(seed, growth, dtype, quantized=quantization is not None)
    finish = partial(_quantize, quantization, dtype) if quantization else None
    model = grow(seed, growth, dtype=dtype, places=places, finish_block=finish)
    if len(set(places.values())) > 1:
        from accelerate import dispatch_model

        dispatch_model(model, places)
    return model


def _spread(
    seed: LlamaForCausalLM, growth: Growth, dtype: torch.dtype, *, quantized: bool
) -> dict[str, Any]:
    """An accelerate device map with whole blocks, in the order in which they run."""
    from accelerate import infer_auto_device_map

    config = grown_config(seed.config, growth)
    shell = grown_shell(config, seed.config.vocab_size, dtype)
    places = infer_auto_device_map(
        shell,
        no_split_module_classes=["LlamaDecoderLayer"],
        dtype=torch.int8 if quantized else dtype,
    )
    if "disk" in places.values():
        raise UserError(
            "grow",
            f"{shell.num_parameters():,} parameters in {dtype} do not fit this machine's memory",
            "build fewer layers (grow.built_layers) or quantize",
        )
    return dict(places)


def _quantize(kind: str, dtype: torch.dtype, block: nn.Module) -> None:
    """Replaces a block's linear layers by those of bitsandbytes, on the device they are on."""
    linear = [(name, m) for name, m in block.named_modules() if isinstance(m, nn.Linear)]
    make: Callable[[nn.Linear, torch.dtype], nn.Module] = _int8 if kind == "int8" else _nf4
    for name, module in linear:
        block.set_submodule(name, make(module, dtype))


def _int8(linear: nn.Linear, dtype: torch.dtype) -> nn.Module:
    import bitsandbytes as bnb

    device = linear.weight.device
    with torch.device("meta"):
        layer = bnb.nn.Linear8bitLt(
            linear.in_features, linear.out_features, bias=False, has_fp16_weights=False
        )
    layer.weight = bnb.nn.Int8Params(
        linear.weight.data.cpu(), requires_grad=False, has_fp16_weights=False
    )
    return layer.to(device)


def _nf4(linear: nn.Linear, dtype: torch.dtype) -> nn.Module:
    import bitsandbytes as bnb

    device = linear.weight.device
    with torch.device("meta"):
        layer = bnb.nn.Linear4bit(
            linear.in_features,
            linear.out_features,
            bias=False,
            compute_dtype=dtype,
            quant_type="nf4",
        )
    layer.weight = bnb.nn.Params4bit(
        linear.weight.data.cpu(), requires_grad=False, quant_type="nf4"
    )
    return layer.to(device)
