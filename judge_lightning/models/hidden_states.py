"""The hidden states that a causal language model's blocks give out.

Transformers' ``output_hidden_states`` applies the final norm to the last entry and keeps
every layer. Judge decoding reads the last block *before* that norm, and one layer only, so
the states are tapped at the blocks themselves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from judge_lightning.errors import UserError


def decoder_blocks(model: nn.Module) -> nn.ModuleList:
    """Finds the stack of transformer blocks of any causal LM of transformers.

    It is the outermost ``ModuleList`` with one entry per hidden layer of the (text) config;
    no architecture is named, so a new one works without a change here.

    Raises:
        UserError: The model has no such stack.
    """
    count = _layer_count(model)
    # A multi-modal model's vision tower may be as deep as its language model.
    find_decoder: Any = getattr(model, "get_decoder", None)
    for root in [find_decoder(), model] if find_decoder else [model]:
        queue: deque[nn.Module] = deque([root])
        while queue:
            module = queue.popleft()
            if isinstance(module, nn.ModuleList) and len(module) == count:
                return module
            queue.extend(module.children())
    raise UserError(
        "pair.target",
        f"{type(model).__name__} has no stack of {count} blocks",
        "use a causal language model of transformers",
    )


def resolve_layer(model_or_count: nn.Module | int, layer: int) -> int:
    """Turns a Python index into the blocks (-1: the last) into 0..L-1.

    Raises:
        UserError: The target has no such layer.
    """
    count = (
        model_or_count if isinstance(model_or_count, int) else len(decoder_blocks(model_or_count))
    )
    if not -count <= layer < count:
        raise UserError(
            "judge.layer",
            f"{layer} is out of range for a target of {count} layers",
            f"choose {-count} to {count - 1}, or null for the best on validation",
        )
    return layer % count


class HiddenStateTap:
    """Keeps the output of chosen blocks while the context is open.

    After a forward of the model, ``states[layer]`` is that block's output, shape
    (batch, tokens, hidden) and the model's dtype, on the block's device; the last block's
    is thus before the final norm. ``layer`` is the index as the caller wrote it.

    Raises:
        UserError: A layer that the model does not have (when created).
    """

    def __init__(self, model: nn.Module, layers: Sequence[int]) -> None:
        blocks = decoder_blocks(model)
        self._blocks = {layer: blocks[resolve_layer(len(blocks), layer)] for layer in layers}
        self._handles: list[RemovableHandle] = []
        self.states: dict[int, Tensor] = {}

    def __enter__(self) -> Self:
        for layer, block in self._blocks.items():
            self._handles.append(block.register_forward_hook(self._keep(layer)))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self.states.clear()

    def _keep(self, layer: int) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            # Some architectures give (hidden, attention weights), others hidden alone.
            self.states[layer] = output if isinstance(output, torch.Tensor) else output[0]

        return hook


def _layer_count(model: nn.Module) -> int:
    config: Any = model.config
    return int(config.get_text_config(decoder=True).num_hidden_layers)
