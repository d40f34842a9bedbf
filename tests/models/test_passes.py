"""The reckoned memory of forward passes against what passes of real models allocate."""

from __future__ import annotations

import weakref
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache

from judge_lightning.models.parts import PassShape, pass_shape
from judge_lightning.models.passes import block_bytes, logit_bytes, state_bytes

TINY_LLAMA = {
    "model_type": "llama",
    "vocab_size": 500,
    "hidden_size": 64,
    "intermediate_size": 224,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
}
MODELS = {
    "grouped queries": TINY_LLAMA,
    "a narrow MLP": {**TINY_LLAMA, "intermediate_size": 32},
    "heads wider than the model": {**TINY_LLAMA, "model_type": "qwen3", "head_dim": 32},
    "tied": {**TINY_LLAMA, "tie_word_embeddings": True},
    "GPT-2": {"model_type": "gpt2", "n_embd": 64, "n_layer": 4, "n_head": 8, "vocab_size": 500},
}


class Allocations(TorchDispatchMode):
    """The most bytes of tensors made while it is open that were alive at one time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._alive: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {
            leaf.untyped_storage()._cdata
            for leaf in tree_leaves((args, kwargs))
            if isinstance(leaf, torch.Tensor)
        }
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self._watch(leaf.untyped_storage(), given)
        return result

    def _watch(self, storage: Any, given: set[int]) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in given or key in self._alive:
            return
        self._alive.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self._alive.discard(key)
        self.now -= size


def build(fields: dict[str, Any]) -> tuple[Any, PassShape]:
    fields = dict(fields)
    config = AutoConfig.for_model(fields.pop("model_type"), **fields)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    return model, pass_shape(model, 4, None)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("tokens", [21, 300])
@torch.inference_mode()
def test_a_pass_without_a_cache_takes_what_is_reckoned(name: str, tokens: int) -> None:
    """Within a quarter below and never above, for the blocks and 21 rows of logits."""
    model, shape = build(MODELS[name])
    ids = torch.ones((1, tokens), dtype=torch.long)
    with Allocations() as seen:
        model(ids, use_cache=False, logits_to_keep=21)
    block = block_bytes(shape, 1, tokens, tokens)
    logits = logit_bytes(shape, 1, tokens, 21)
    print(name, tokens, seen.peak, block, logits)
    assert seen.peak <= 1.05 * (block + logits)
    assert max(block, logits) <= 2 * seen.peak
