"""``device_map: auto``: a placement as the map of module names that accelerate wants."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from judge_lightning.errors import UserError
from judge_lightning.models.hidden_states import decoder_blocks
from judge_lightning.models.machine import GIB
from judge_lightning.models.parts import DTYPE_BYTES, Parts, count_parts
from judge_lightning.models.placement import Placement, spread


def free_gpu_memory() -> list[int]:
    """Bytes that each GPU can still give: what is free, and what torch holds without using it."""
    return [
        torch.cuda.mem_get_info(number)[0]
        + torch.cuda.memory_reserved(number)
        - torch.cuda.memory_allocated(number)
        for number in range(torch.cuda.device_count())
    ]


def automatic_map(
    model: Any, free: list[int], dtype: str, quantization: str | None
) -> dict[str, int]:
    """Spreads a model of the meta device over GPUs.

    Args:
        model: The whole model, with unquantized layers.
        free: Bytes that are free on each GPU.
        dtype: Of the weights that are not quantized.
        quantization: Of the others.

    Raises:
        UserError: The GPUs cannot hold its weights.
    """
    parts = count_parts(model, DTYPE_BYTES[dtype], quantization)
    placement = spread(parts, free)
    if placement is None:
        raise no_room(parts, sum(free), f"{len(free)} GPUs", quantization or dtype)
    return module_map(model, placement)


def module_map(model: Any, placement: Placement) -> dict[str, int]:
    """Names every module with weights or buffers and its device.

    What stands before the blocks goes with the embeddings, what stands behind them with the
    head; a tied head goes with the embeddings whose weights it shares.
    """
    blocks = {id(block): number for number, block in enumerate(decoder_blocks(model))}
    head = model.get_output_embeddings()
    tied = head is not None and head.weight is model.get_input_embeddings().weight
    places: dict[str, int] = {}
    device = placement.embeddings
    for name, module in _outermost(model, blocks):
        if id(module) in blocks:
            places[name] = placement.blocks[blocks[id(module)]]
            device = placement.head
        elif module is head and tied:
            places[name] = placement.embeddings
        else:
            places[name] = device
    return places


def no_room(parts: Parts, free: int, where: str, kind: str) -> UserError:
    """The error for weights that find no place."""
    return UserError(
        "device_map",
        f"{parts.total / GIB:.1f} GiB of weights ({kind}) do not fit: {where} have"
        f" {free / GIB:.1f} GiB free, and blocks stay whole",
        "quantize, use more devices or, for a stand-in, build fewer layers (grow.built_layers)",
    )


def _outermost(model: Any, blocks: dict[int, int]) -> Iterator[tuple[str, Any]]:
    """The blocks, and outside of them all modules without children, and lone parameters."""

    def visit(name: str, module: Any) -> Iterator[tuple[str, Any]]:
        children = list(module.named_children())
        if id(module) in blocks or not children:
            yield name, module
            return
        for own, tensor in (
            *module.named_parameters(recurse=False),
            *module.named_buffers(recurse=False),
        ):
            yield f"{name}.{own}".lstrip("."), tensor
        for own, child in children:
            yield from visit(f"{name}.{own}".lstrip("."), child)

    yield from visit("", model)
