"""How many rows of a batch a loaded model has memory for, before a pass is tried."""

from __future__ import annotations

import psutil
import torch
from transformers import PreTrainedModel

from judge_lightning.models.machine import this_machine
from judge_lightning.models.parts import PassShape, pass_shape
from judge_lightning.models.passes import block_bytes, logit_bytes
from judge_lightning.models.size import cache_per_token

_USABLE = 0.9
"""Of the free memory; the rest is for what the allocator cannot hand out in the sizes asked for."""


class RowPlan:
    """Reckons batches of one loaded model with the free memory of its devices.

    It is a plan: kernels differ in what they need beside it, so a batch that fits on paper may
    still run out of memory, and whoever runs it has to halve it then.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._devices = sorted({parameter.device for parameter in model.parameters()}, key=str)
        try:
            number = model.dtype.itemsize
            self._shape: PassShape | None = pass_shape(model, number, None)
            self._cache_per_token = cache_per_token(model.config) * number
        except (AttributeError, TypeError, ValueError):
            self._shape = None  # An architecture whose sizes are not read: it is tried out.

    def rows(self, most: int, prompt: int, new_tokens: int) -> int:
        """The largest of ``most``, its half, its quarter, ... that fits; 1 where none does.

        Args:
            prompt: Tokens of the longest prompt.
            new_tokens: Tokens that are written after it.
        """
        if self._shape is None:
            return most
        free = min(_free_bytes(device) for device in self._devices)
        while most > 1 and self.needed(most, prompt, new_tokens) > _USABLE * free:
            most //= 2
        return most

    def needed(self, rows: int, prompt: int, new_tokens: int) -> int:
        """Bytes beside the weights on one device: its share of the cache, and the activations."""
        assert self._shape is not None
        seen = min(prompt + new_tokens, self._shape.longest)
        cache = rows * seen * self._cache_per_token // len(self._devices)
        block = block_bytes(self._shape, rows, prompt, seen)
        return cache + block + logit_bytes(self._shape, rows, prompt, 1)


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        free = torch.cuda.mem_get_info(device)[0]
        # What PyTorch holds without using it can be used again.
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return free + unused
    process = psutil.Process().memory_info().rss
    # A container's limit is not what the whole machine has left.
    return min(psutil.virtual_memory().available, this_machine("cpu").memory[0] - process)
