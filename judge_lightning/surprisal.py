"""How unlikely the target finds a token that is given to it: -log p, in nats."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

_CHUNK = 64
"""Tokens whose logits are held at once: of a large vocabulary each token's take half a megabyte."""
_PROBE = 8
_TOLERANCE = 0.02
"""Of the largest logit; bfloat16 rounds to less, a scale or a hard cap is more."""


def surprisals(logits: Tensor, tokens: Tensor) -> Tensor:
    """-log p of each token, (k,) float32 nats.

    Args:
        logits: Of the positions before the tokens, (k, V).
        tokens: (k,) long.
    """
    logits = logits.float()
    return logits.logsumexp(-1) - logits.gather(1, tokens.unsqueeze(1))[:, 0]


class OutputLayer:
    """A target's logits from states that its inner model has given anyway."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._layer = model.get_output_embeddings()

    @classmethod
    def of(cls, model: PreTrainedModel, ids: Sequence[int]) -> OutputLayer | None:
        """None for a model that does more to its logits than that layer, which ``ids`` show."""
        layer = cls(model)
        probe = torch.tensor([list(ids[:_PROBE])], device=model.device)
        states = model.base_model(input_ids=probe, use_cache=False).last_hidden_state[0]
        own = model(input_ids=probe, use_cache=False).logits[0].float()
        gap = (layer.logits(states).to(own.device) - own).abs().max()
        return layer if bool(gap <= _TOLERANCE * own.abs().max()) else None

    def logits(self, states: Tensor) -> Tensor:
        """(k, V) float32 of states (k, H)."""
        logits: Tensor = self._layer(states.to(self._layer.weight.device))
        return logits.float()

    def surprisals(self, states: Tensor, tokens: Tensor) -> Tensor:
        """Of tokens (k,) long behind states (k, H), on the CPU; a few positions' logits at once."""
        chunks = zip(states.split(_CHUNK), tokens.split(_CHUNK), strict=True)
        found = []
        for some, next_tokens in chunks:
            logits = self.logits(some)
            found.append(surprisals(logits, next_tokens.to(logits.device)).cpu())
        return torch.cat(found)
