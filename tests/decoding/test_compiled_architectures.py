"""The compiled engine on families of architectures: it writes what the target writes alone.

One layer each and short blocks, because graphs take seconds to make. All of them are tried by

    JUDGE_ALL_ARCHITECTURES=1 python -m pytest tests/decoding/test_compiled_architectures.py

A plain run takes one of each kind of attention, position, normalisation and feed-forward.
"""

from __future__ import annotations

import copy
import os

import pytest
import torch
import transformers as hf
from transformers import AutoModelForCausalLM, PreTrainedConfig

from judge_lightning import SpeculativeDecoder
from judge_lightning.decoding.compiler import compiler_problem
from judge_lightning.decoding.trace import Cycle
from judge_lightning.verifiers import Exact

pytestmark = pytest.mark.skipif(compiler_problem() is not None, reason="needs a C++ compiler")

VOCABULARY, HIDDEN, WINDOW = 61, 32, 6
IDS = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": HIDDEN,
    "intermediate_size": 48,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "max_position_embeddings": 96,
    "initializer_range": 0.3,
    **IDS,
}
GROUPED = {"num_key_value_heads": 2, "head_dim": 8}
# One layer behind tied embeddings repeats itself, and a draft then agrees with everything.
UNTIED = {"tie_word_embeddings": False}
CAPS = {"attn_logit_softcapping": 5.0, "final_logit_softcapping": 3.0}
EXPERTS = {"num_experts_per_tok": 2, "num_key_value_heads": 2}
SMALL_EXPERTS = {**EXPERTS, "num_experts": 4, "moe_intermediate_size": 16}
GPT = {"vocab_size": VOCABULARY, "n_embd": HIDDEN, "n_layer": 1, "n_head": 4, **IDS}

CONFIGS: dict[str, PreTrainedConfig] = {
    "gemma": hf.GemmaConfig(**SHAPE, **UNTIED, num_key_value_heads=1, head_dim=8),
    "gemma2": hf.Gemma2Config(**SHAPE, **UNTIED, **GROUPED, **CAPS, sliding_window=WINDOW),
    "gemma3": hf.Gemma3TextConfig(
        **SHAPE, **UNTIED, **GROUPED, sliding_window=WINDOW, layer_types=["sliding_attention"]
    ),
    "qwen2": hf.Qwen2Config(**SHAPE, num_key_value_heads=2),
    "qwen3": hf.Qwen3Config(**SHAPE, **GROUPED),
    "phi": hf.PhiConfig(**SHAPE),
    "phi3": hf.Phi3Config(**SHAPE, num_key_value_heads=2),
    "gpt2": hf.GPT2Config(**GPT, initializer_range=0.3),
    "gpt_j": hf.GPTJConfig(**GPT, rotary_dim=4, initializer_range=0.3),
    "gpt_neox": hf.GPTNeoXConfig(**SHAPE),
    "opt": hf.OPTConfig(
        vocab_size=VOCABULARY, hidden_size=HIDDEN, ffn_dim=48, num_hidden_layers=1,
        num_attention_heads=4, max_position_embeddings=96, word_embed_proj_dim=HIDDEN,
        init_std=0.3, **IDS,
    ),
    "bloom": hf.BloomConfig(
        vocab_size=VOCABULARY, hidden_size=HIDDEN, n_layer=1, n_head=4, initializer_range=0.3, **IDS
    ),
    "mixtral": hf.MixtralConfig(**SHAPE, **EXPERTS, num_local_experts=4),
    "qwen2_moe": hf.Qwen2MoeConfig(
        **SHAPE, **SMALL_EXPERTS, shared_expert_intermediate_size=16
    ),
    "qwen3_moe": hf.Qwen3MoeConfig(**SHAPE, **SMALL_EXPERTS, head_dim=8),
}  # fmt: skip
ALWAYS = {"gemma2", "qwen3", "gpt_neox", "opt", "mixtral"}


@pytest.mark.parametrize("kind", CONFIGS)
def test_compiled_exact_decoding_writes_what_the_target_writes(kind: str) -> None:
    if kind not in ALWAYS and not os.environ.get("JUDGE_ALL_ARCHITECTURES"):
        pytest.skip("JUDGE_ALL_ARCHITECTURES is not set")
    torch.manual_seed(0)
    target = AutoModelForCausalLM.from_config(CONFIGS[kind]).eval()
    draft = copy.deepcopy(target)
    with torch.no_grad():
        for parameter in draft.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    decoder = SpeculativeDecoder(target, draft, Exact(), 2, "compiled")
    cycles: list[Cycle] = []
    for length in (1, 9):
        prompt = torch.arange(3, 3 + length).unsqueeze(0)
        output = decoder.generate(prompt, 30, eos_token_id=())
        wanted = target.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=30,
            do_sample=False,
            eos_token_id=None,
        )
        assert torch.equal(output.sequences, wanted)
        cycles += output.trace.cycles
    # Otherwise nothing was kept, or nothing was rolled back.
    assert any(cycle.accepted for cycle in cycles)
    assert any(cycle.corrected for cycle in cycles)
