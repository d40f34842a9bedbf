"""Where a seed's weights stand in the matrices of a grown Llama (``models.growth`` says why).

Every matrix arrives full of random numbers. What the seed says is written over them, and
zeros wherever a random number would reach the output.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from judge_lightning.models.shape import LlamaShape, key_value_copies


def rotary_positions(old: int, new: int) -> Tensor:
    """Where each of a head's ``old`` dimensions stands among ``new``: (old,) long.

    Llama rotates dimension i with i + h/2. Grown by a whole factor, a seed's pair stands where
    the grown head has the seed's frequency; otherwise among the first pairs, for which the
    rotary base is raised.
    """
    step = new // old if new % old == 0 else 1
    first = torch.arange(old // 2) * step
    return torch.cat([first, first + new // 2])


class WeightWriter:
    """Writes a seed's weights, of shape ``old``, into random ones of shape ``new``, in place.

    The grown modules may be on any device and of any float dtype.
    """

    def __init__(self, old: LlamaShape, new: LlamaShape) -> None:
        self._width = torch.arange(old.hidden_size)
        self._units = torch.arange(old.intermediate_size)
        self._ids = torch.arange(old.vocab_size)
        self._norm_scale = math.sqrt(old.hidden_size / new.hidden_size)
        self._query_scale = math.sqrt(new.head_dim / old.head_dim)
        kept = rotary_positions(old.head_dim, new.head_dim)
        is_added = torch.ones(new.head_dim, dtype=torch.bool)
        is_added[kept] = False

        copies = key_value_copies(old, new)
        query = torch.arange(old.num_attention_heads)
        key, place = query // old.queries_per_key, query % old.queries_per_key
        key_of_query = key * copies + place // new.queries_per_key
        query_heads = key_of_query * new.queries_per_key + place % new.queries_per_key
        key_heads = torch.arange(old.num_key_value_heads * copies)

        self._copies = copies
        self._head_dim = old.head_dim
        self._queries = _rows(query_heads, kept, new.head_dim)
        self._silent_queries = _rows(query_heads, is_added.nonzero().flatten(), new.head_dim)
        self._keys = _rows(key_heads, kept, new.head_dim)

    def block(self, grown: Any, seed: Any | None) -> None:
        """Fills one decoder layer; without a seed's layer it passes its input on unchanged."""
        attention, mlp = grown.self_attn, grown.mlp
        attention.o_proj.weight.zero_()
        mlp.down_proj.weight.zero_()
        if seed is None:
            return
        queries, keys, width, units = self._queries, self._keys, self._width, self._units
        old = seed.self_attn
        query = attention.q_proj.weight
        _write(query, self._silent_queries, width, torch.zeros(()))
        _write(query, queries, width, old.q_proj.weight.float() * self._query_scale)
        _write(attention.k_proj.weight, keys, width, self._copied(old.k_proj.weight))
        _write(attention.v_proj.weight, keys, width, self._copied(old.v_proj.weight))
        _write(attention.o_proj.weight, width, queries, old.o_proj.weight)
        _write(mlp.gate_proj.weight, units, width, seed.mlp.gate_proj.weight)
        _write(mlp.up_proj.weight, units, width, seed.mlp.up_proj.weight)
        _write(mlp.down_proj.weight, width, units, seed.mlp.down_proj.weight)
        self.norm(grown.input_layernorm.weight, seed.input_layernorm.weight)
        self.norm(grown.post_attention_layernorm.weight, seed.post_attention_layernorm.weight)

    def norm(self, grown: Tensor, seed: Tensor) -> None:
        """Fills an RMS norm's weights (D,) from the seed's (d,)."""
        grown[: len(seed)] = (seed.float() * self._norm_scale).to(grown)

    def embeddings(self, grown: Tensor, seed: Tensor) -> None:
        """Fills input embeddings (V', D): a known id's residual stream is zero beyond d."""
        grown[: len(self._ids)] = 0
        _write(grown, self._ids, self._width, seed)

    def head(self, grown: Tensor, seed: Tensor) -> None:
        """Fills an output head (V', D) that is not tied: what reads beyond d reads zeros."""
        _write(grown, self._ids, self._width, seed)

    def _copied(self, weight: Tensor) -> Tensor:
        """Repeats each key/value head of (K h, d) for its copies: (K copies h, d)."""
        heads = weight.unflatten(0, (-1, self._head_dim))
        return heads.repeat_interleave(self._copies, dim=0).flatten(0, 1)


def _rows(heads: Tensor, dimensions: Tensor, head_dim: int) -> Tensor:
    return (heads[:, None] * head_dim + dimensions).flatten()


def _write(grown: Tensor, rows: Tensor, columns: Tensor, values: Tensor) -> None:
    rows, columns = rows.to(grown.device), columns.to(grown.device)
    grown[rows[:, None], columns] = values.to(grown)
