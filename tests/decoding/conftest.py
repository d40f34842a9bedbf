"""Tiny random pairs: a draft that is its target with noise, so that blocks break anywhere."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)

SHAPE = {
    "vocab_size": 61,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 96,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "initializer_range": 0.3,
}
KINDS: dict[str, Callable[[], PreTrainedModel]] = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SHAPE, num_key_value_heads=2)),
    "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**SHAPE, num_key_value_heads=2)),
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(**SHAPE)),
    "gpt_neox": lambda: GPTNeoXForCausalLM(GPTNeoXConfig(**SHAPE)),
    "sliding_window": lambda: MistralForCausalLM(
        MistralConfig(**SHAPE, num_key_value_heads=2, sliding_window=6)
    ),
}


@pytest.fixture(scope="session")
def make_pair() -> Callable[[str], tuple[PreTrainedModel, PreTrainedModel]]:
    """(target, draft) of one of ``KINDS``, the same at every call."""

    def make(kind: str) -> tuple[PreTrainedModel, PreTrainedModel]:
        torch.manual_seed(0)
        target = KINDS[kind]().eval()
        draft = copy.deepcopy(target)
        with torch.no_grad():
            for parameter in draft.parameters():
                parameter.add_(0.02 * torch.randn_like(parameter))
        return target, draft

    return make


@pytest.fixture(scope="session")
def llama(
    make_pair: Callable[[str], tuple[PreTrainedModel, PreTrainedModel]],
) -> tuple[PreTrainedModel, PreTrainedModel]:
    return make_pair("llama")


@pytest.fixture
def prompt() -> torch.Tensor:
    return torch.tensor([[1, 17, 5, 40, 8, 23, 11]])
