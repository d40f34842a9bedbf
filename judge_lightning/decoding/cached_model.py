"""A causal language model with a cache that can be rolled back exactly."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from judge_lightning.errors import UserError


class CachedModel:
    """Reads one sequence bit by bit; ``length`` tokens of it lie in the cache.

    No attention mask and no positions are passed: transformers derives both from the cache,
    and without padding there is nothing to mask but the future.

    Raises:
        UserError: See ``croppable_cache``.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        self._cache = croppable_cache(model)
        if any(self._cache.is_sliding):
            # Otherwise what slides out of the window is lost for a rollback.
            self._cache.activate_past_recording()
        self._device = input_device(model)
        self._limits_logits = _limits_logits(model)
        self.length = 0

    def read(self, tokens: Tensor, keep: int) -> Tensor:
        """Reads tokens (1, n) on top of the cache; gives the logits (keep, V) of the last ones."""
        self.length += tokens.shape[1]
        tokens = tokens.to(self._device)
        if self._limits_logits:
            output: Any = self._model(
                tokens, past_key_values=self._cache, use_cache=True, logits_to_keep=keep
            )
            logits: Tensor = output.logits[0]
        else:
            output = self._model(tokens, past_key_values=self._cache, use_cache=True)
            logits = output.logits[0, -keep:]
        return logits

    def forget_after(self, length: int) -> None:
        """Drops what was read after the first ``length`` tokens; does nothing if there is less.

        Called after every cycle, even when nothing is dropped: sliding layers then drop what
        left their window.
        """
        if self.length == 0:  # Layers that never read anything have nothing to crop.
            return
        surplus = max(0, self.length - length)
        # A negative count is what transformers removes from the end.
        self._cache.crop(-surplus)
        self.length -= surplus


def croppable_cache(model: PreTrainedModel) -> DynamicCache:
    """An empty cache for a model.

    Raises:
        UserError: The model keeps no keys and values, or cannot forget tokens (recurrent layers).
    """
    name = type(model).__name__
    cache = DynamicCache(config=model.config)
    if not cache.is_croppable:
        problem = f"{name} has layers whose state cannot be rolled back"
        raise UserError("pair", problem, "use models with attention layers only")
    parameters = inspect.signature(model.forward).parameters
    # A wrapper of another library may pass on whatever it is given.
    if isinstance(model, PreTrainedModel) and "past_key_values" not in parameters:
        problem = f"{name} keeps no cache of keys and values"
        raise UserError("pair", problem, "use a decoder that does")
    return cache


def input_device(model: PreTrainedModel) -> torch.device:
    """Where a model, sharded or not, wants its tokens."""
    embeddings: Any = model.get_input_embeddings()
    device: torch.device = embeddings.weight.device
    return device if device.type != "meta" else torch.device("cpu")


def _limits_logits(model: PreTrainedModel) -> bool:
    """Whether a model can leave out the logits of a prompt (a few old architectures cannot)."""
    return "logits_to_keep" in inspect.signature(model.forward).parameters
