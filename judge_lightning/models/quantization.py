"""Weights in fewer bits: what is known, what it needs to be installed, how it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from judge_lightning.errors import UserError

if TYPE_CHECKING:
    import torch

KINDS = ("int8", "nf4", "int8wo")
"""``int8`` and ``nf4`` are bitsandbytes', ``int8wo`` (weights only) is torchao's."""
_LIBRARY = {"int8": "bitsandbytes", "nf4": "bitsandbytes", "int8wo": "torchao"}
_EXTRA = {"bitsandbytes": "quantization", "torchao": "torchao"}


def check_quantization(kind: str | None, *, field: str = "quantization") -> None:
    """Refuses what cannot be loaded, before anything is.

    Raises:
        UserError: The kind is unknown, or its library is not installed.
    """
    if kind is None:
        return
    if kind not in KINDS:
        raise UserError(field, f"{kind!r} is unknown", f"use null, {', '.join(KINDS)}")
    library = _LIBRARY[kind]
    if find_spec(library) is None:
        raise UserError(
            field,
            f"{kind} needs {library}, which is not installed",
            f"pip install -e '.[{_EXTRA[library]}]', or choose another kind",
        )


def quantization_config(kind: str | None, dtype: torch.dtype) -> Any:
    """What ``from_pretrained`` is given; all linear layers but the output head are quantized.

    Raises:
        UserError: See ``check_quantization``.
    """
    check_quantization(kind)
    if kind is None:
        return None
    if kind == "int8wo":
        return _weight_only()
    from transformers import BitsAndBytesConfig

    if kind == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype
    )


def quantize_block(kind: str, dtype: torch.dtype, block: torch.nn.Module) -> None:
    """Replaces the linear layers of a block without biases, on the device that they are on."""
    import torch

    if kind == "int8wo":
        from torchao.quantization import Int8WeightOnlyConfig, quantize_

        quantize_(block, Int8WeightOnlyConfig())
        return
    make: Callable[[torch.nn.Linear, torch.dtype], torch.nn.Module]
    make = _int8 if kind == "int8" else _nf4
    linear = [(name, m) for name, m in block.named_modules() if isinstance(m, torch.nn.Linear)]
    for name, module in linear:
        block.set_submodule(name, make(module, dtype))


def _weight_only() -> Any:
    from torchao.quantization import Int8WeightOnlyConfig
    from transformers import TorchAoConfig

    return TorchAoConfig(Int8WeightOnlyConfig())


def _int8(linear: torch.nn.Linear, dtype: torch.dtype) -> torch.nn.Module:
    import bitsandbytes as bnb
    import torch

    device = linear.weight.device
    with torch.device("meta"):
        layer = bnb.nn.Linear8bitLt(
            linear.in_features, linear.out_features, bias=False, has_fp16_weights=False
        )
    layer.weight = bnb.nn.Int8Params(
        linear.weight.data.cpu(), requires_grad=False, has_fp16_weights=False
    )
    quantized: torch.nn.Module = layer.to(device)
    return quantized


def _nf4(linear: torch.nn.Linear, dtype: torch.dtype) -> torch.nn.Module:
    import bitsandbytes as bnb
    import torch

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
    quantized: torch.nn.Module = layer.to(device)
    return quantized
