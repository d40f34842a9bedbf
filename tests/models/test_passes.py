"""The reckoned memory of forward passes against what passes of real models allocate."""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache

from judge_lightning.models.hidden_states import HiddenStateTap
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
    "GPT-2": {
        "model_type": "gpt2",
        "n_embd": 64,
        "n_layer": 4,
        "n_head": 8,
        "vocab_size": 500,
        "bos_token_id": 0,
        "eos_token_id": 0,
    },
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
@pytest.mark.parametrize(
    ("tokens", "dtype"), [(21, "float32"), (300, "float32"), (300, "bfloat16")]
)
@torch.inference_mode()
def test_a_pass_takes_at_most_what_is_reckoned_for_a_block_and_not_much_less(
    name: str, tokens: int, dtype: str
) -> None:
    model, shape = build(MODELS[name])
    model = model.to(getattr(torch, dtype))
    shape = replace(shape, number=model.dtype.itemsize)
    with Allocations() as seen:
        model.base_model(torch.ones((1, tokens), dtype=torch.long), use_cache=False)
    reckoned = block_bytes(shape, 1, tokens, tokens)
    assert 0.75 * reckoned <= seen.peak <= 1.01 * reckoned


@torch.inference_mode()
@pytest.mark.parametrize("name", MODELS)
def test_reading_a_block_on_top_of_a_long_cache_takes_at_most_what_is_reckoned(name: str) -> None:
    model, shape = build(MODELS[name])
    cache = DynamicCache(config=model.config)
    model(torch.ones((1, 600), dtype=torch.long), past_key_values=cache)
    with Allocations() as seen:
        model.base_model(torch.ones((1, 21), dtype=torch.long), past_key_values=cache)
    caches = 621 * 2 * 4 * shape.keys * shape.number
    assert seen.peak - caches <= block_bytes(shape, 1, 21, 621)


@torch.inference_mode()
def test_the_cache_takes_exactly_what_is_reckoned() -> None:
    model, shape = build(TINY_LLAMA)
    cache = DynamicCache(config=model.config)
    model(torch.ones((3, 50), dtype=torch.long), past_key_values=cache)
    held = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
    assert held == 3 * 50 * 4 * 2 * shape.keys * shape.number


@torch.inference_mode()
def test_logits_and_their_probabilities_take_what_is_reckoned() -> None:
    _, shape = build(TINY_LLAMA)
    states, weight = torch.rand(1, 21, 64, dtype=torch.bfloat16), torch.rand(500, 64).bfloat16()
    with Allocations() as seen:
        logits = states @ weight.T
        probabilities = torch.softmax(logits.float(), -1)
    half = replace(shape, number=2)
    assert seen.peak == pytest.approx(logit_bytes(half, 1, 300, 21), rel=0.02)
    assert probabilities.shape == (1, 21, 500)


def test_a_model_that_gives_all_logits_is_reckoned_with_all() -> None:
    _, shape = build(TINY_LLAMA)
    everything = replace(shape, all_logits=True)
    assert logit_bytes(everything, 2, 300, 21) * 21 == logit_bytes(shape, 2, 300, 21) * 300
    assert logit_bytes(everything, 2, 300, 0) == 0


@torch.inference_mode()
def test_the_states_of_all_layers_take_what_is_reckoned() -> None:
    model, shape = build(TINY_LLAMA)
    with HiddenStateTap(model, range(4)) as tap:
        model.base_model(torch.ones((2, 50), dtype=torch.long), use_cache=False)
        held = sum(state.nbytes for state in tap.states.values())
    assert held == 4 * state_bytes(shape, 2 * 50)


@pytest.mark.parametrize("quantization", ["nf4", "int8wo"])
def test_a_matrix_that_is_written_out_again_is_counted_once(quantization: str) -> None:
    _, shape = build(TINY_LLAMA)
    quantized = replace(shape, quantization=quantization, largest_matrix=64 * 224)
    extra = block_bytes(quantized, 1, 300, 300) - block_bytes(shape, 1, 300, 300)
    assert extra == 64 * 224 * 4
