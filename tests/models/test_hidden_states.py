from __future__ import annotations

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
    MixtralConfig,
    MixtralForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from judge_lightning.errors import UserError
from judge_lightning.models.hidden_states import HiddenStateTap, decoder_blocks, resolve_layer

LAYERS = 3
SHAPE = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
MODELS: dict[str, Callable[[], PreTrainedModel]] = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SHAPE, intermediate_size=24)),
    "qwen2": lambda: Qwen2ForCausalLM(
        Qwen2Config(**SHAPE, intermediate_size=24, num_key_value_heads=1)
    ),
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(**SHAPE)),
    "gpt_neox": lambda: GPTNeoXForCausalLM(GPTNeoXConfig(**SHAPE, intermediate_size=24)),
    "opt": lambda: OPTForCausalLM(OPTConfig(**SHAPE, ffn_dim=24, word_embed_proj_dim=16)),
    "mixtral, as many experts as layers": lambda: MixtralForCausalLM(
        MixtralConfig(
            **SHAPE, intermediate_size=24, num_key_value_heads=1, num_local_experts=LAYERS
        )
    ),
}
IDS = torch.tensor([[3, 9, 4, 30]])


@pytest.fixture(scope="module")
def llama() -> PreTrainedModel:
    torch.manual_seed(0)
    return MODELS["llama"]().eval()


@pytest.mark.parametrize("kind", MODELS)
def test_a_tap_gives_what_transformers_calls_hidden_states(kind: str) -> None:
    model = MODELS[kind]().eval()
    with torch.no_grad(), HiddenStateTap(model, range(LAYERS)) as tap:
        expected = model(IDS, output_hidden_states=True).hidden_states
        for layer in range(LAYERS - 1):
            assert torch.equal(tap.states[layer], expected[layer + 1])


def test_the_last_layer_is_taken_before_the_final_norm(llama: PreTrainedModel) -> None:
    with torch.no_grad(), HiddenStateTap(llama, [-1]) as tap:
        after_norm = llama(IDS, output_hidden_states=True).hidden_states[-1]
        assert not torch.allclose(tap.states[-1], after_norm)
        assert torch.equal(llama.model.norm(tap.states[-1]), after_norm)


def test_a_closed_tap_leaves_no_hook_and_no_states() -> None:
    model = MODELS["llama"]()
    with HiddenStateTap(model, [0, 1]) as tap:
        model(IDS)
        assert tap.states.keys() == {0, 1}
    assert tap.states == {}
    assert not any(block._forward_hooks for block in decoder_blocks(model))


def test_layers_count_from_either_end(llama: PreTrainedModel) -> None:
    assert [resolve_layer(llama, layer) for layer in (0, 2, -1, -3)] == [0, 2, 2, 0]


@pytest.mark.parametrize("layer", [LAYERS, -LAYERS - 1])
def test_a_layer_that_the_target_does_not_have_is_refused(layer: int) -> None:
    with pytest.raises(UserError, match=f"{layer} is out of range for a target of 3") as error:
        resolve_layer(LAYERS, layer)
    assert error.value.field == "judge.layer"
