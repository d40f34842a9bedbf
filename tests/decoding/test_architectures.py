"""The decoder on every family of architectures: what it writes is what the target writes."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
import transformers as hf
from torch import Tensor
from transformers import PreTrainedModel

from judge_lightning import JudgeHead, SpeculativeDecoder
from judge_lightning.heads import HeadConfig
from judge_lightning.models.hidden_states import HiddenStateTap
from judge_lightning.verifiers import Exact, Judge

LAYERS, HIDDEN, VOCABULARY, POSITIONS, WINDOW = 2, 32, 61, 96, 6
IDS = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": HIDDEN,
    "intermediate_size": 48,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "max_position_embeddings": POSITIONS,
    "initializer_range": 0.3,
    **IDS,
}
GROUPED = {"num_key_value_heads": 2, "head_dim": 8}
MIXED = {"sliding_window": WINDOW, "layer_types": ["sliding_attention", "full_attention"]}
SOFT_CAPS = {"attn_logit_softcapping": 5.0, "final_logit_softcapping": 3.0}
EXPERTS = {"num_experts_per_tok": 2}

MODELS: dict[str, Callable[[], PreTrainedModel]] = {
    "llama_tied": lambda: hf.LlamaForCausalLM(
        hf.LlamaConfig(**SHAPE, **GROUPED, tie_word_embeddings=True)
    ),
    "mistral": lambda: hf.MistralForCausalLM(
        hf.MistralConfig(**SHAPE, **GROUPED, sliding_window=WINDOW)
    ),
    "gemma": lambda: hf.GemmaForCausalLM(
        hf.GemmaConfig(**{**SHAPE, "num_key_value_heads": 1, "head_dim": 8})
    ),
    "gemma2": lambda: hf.Gemma2ForCausalLM(
        hf.Gemma2Config(**SHAPE, **GROUPED, **SOFT_CAPS, sliding_window=WINDOW)
    ),
    "gemma3": lambda: hf.Gemma3ForCausalLM(hf.Gemma3TextConfig(**SHAPE, **GROUPED, **MIXED)),
    "qwen3": lambda: hf.Qwen3ForCausalLM(hf.Qwen3Config(**SHAPE, **GROUPED)),
    "phi": lambda: hf.PhiForCausalLM(hf.PhiConfig(**SHAPE)),
    "phi3": lambda: hf.Phi3ForCausalLM(hf.Phi3Config(**SHAPE, num_key_value_heads=2)),
    "gpt_j": lambda: hf.GPTJForCausalLM(
        hf.GPTJConfig(
            vocab_size=VOCABULARY, n_embd=HIDDEN, n_layer=LAYERS, n_head=4, n_positions=POSITIONS,
            rotary_dim=4, initializer_range=0.3, **IDS,
        )
    ),
    "opt": lambda: hf.OPTForCausalLM(
        hf.OPTConfig(
            vocab_size=VOCABULARY, hidden_size=HIDDEN, ffn_dim=48, num_hidden_layers=LAYERS,
            num_attention_heads=4, max_position_embeddings=POSITIONS, word_embed_proj_dim=HIDDEN,
            init_std=0.3, **IDS,
        )
    ),
    "bloom": lambda: hf.BloomForCausalLM(
        hf.BloomConfig(
            vocab_size=VOCABULARY, hidden_size=HIDDEN, n_layer=LAYERS, n_head=4,
            initializer_range=0.3, **IDS,
        )
    ),
    "mixtral": lambda: hf.MixtralForCausalLM(
        hf.MixtralConfig(**SHAPE, num_key_value_heads=2, num_local_experts=4, **EXPERTS)
    ),
    "qwen3_moe": lambda: hf.Qwen3MoeForCausalLM(
        hf.Qwen3MoeConfig(**SHAPE, **GROUPED, **EXPERTS, num_experts=4, moe_intermediate_size=16)
    ),
}  # fmt: skip
NEW_TOKENS = 60


def with_noisy_draft(kind: str) -> tuple[PreTrainedModel, PreTrainedModel]:
    torch.manual_seed(0)
    target = MODELS[kind]().eval()
    draft = copy.deepcopy(target)
    with torch.no_grad():
        for parameter in draft.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return target, draft


def greedy(model: PreTrainedModel, prompt: Tensor, new: int = NEW_TOKENS) -> Tensor:
    return model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=new,
        do_sample=False,
        eos_token_id=None,
    )


@pytest.mark.parametrize("kind", MODELS)
def test_exact_decoding_writes_what_the_target_writes_far_beyond_any_window(
    kind: str, prompt: Tensor
) -> None:
    target, draft = with_noisy_draft(kind)
    wanted = greedy(target, prompt)
    for draft_length in (1, 5, 64):
        output = SpeculativeDecoder(target, draft, Exact(), draft_length).generate(
            prompt, NEW_TOKENS, eos_token_id=()
        )
        assert torch.equal(output.sequences, wanted), draft_length
        assert any(cycle.accepted for cycle in output.trace.cycles)


@pytest.mark.parametrize("kind", MODELS)
def test_the_judge_reads_what_a_plain_forward_without_cache_gives(
    kind: str, prompt: Tensor
) -> None:
    target, draft = with_noisy_draft(kind)
    config = HeadConfig(HIDDEN, LAYERS - 1, LAYERS, threshold=0.5)
    weights = torch.randn(HIDDEN, generator=torch.Generator().manual_seed(7))
    head = JudgeHead.from_weights(weights, 0.0, config)
    output = SpeculativeDecoder(target, draft, Judge(head), 5).generate(prompt, 30, eos_token_id=())
    with torch.inference_mode(), HiddenStateTap(target, [-1]) as tap:
        target(output.sequences, use_cache=False)
        plain = head(tap.states[-1][0]).sigmoid()
    place = prompt.shape[1]
    for cycle in output.trace.cycles:
        assert cycle.judge is not None
        kept = torch.tensor(cycle.judge[: cycle.accepted])
        torch.testing.assert_close(
            kept, plain[place : place + cycle.accepted], atol=1e-4, rtol=0, check_dtype=False
        )
        place += len(cycle.tokens)
    assert place == output.sequences.shape[1]


@pytest.mark.parametrize("draft_kind", ["opt", "gemma3", "mixtral", "bloom"])
def test_the_draft_may_be_of_another_architecture(draft_kind: str, prompt: Tensor) -> None:
    target, _ = with_noisy_draft("llama_tied")
    _, draft = with_noisy_draft(draft_kind)
    output = SpeculativeDecoder(target, draft, Exact(), 4).generate(
        prompt, NEW_TOKENS, eos_token_id=()
    )
    assert torch.equal(output.sequences, greedy(target, prompt))


@pytest.mark.parametrize("kind", ["mistral", "gemma2", "gemma3", "phi", "opt", "gpt_j", "qwen3"])
def test_an_answer_may_fill_the_targets_positions(kind: str, prompt: Tensor) -> None:
    target, draft = with_noisy_draft(kind)
    output = SpeculativeDecoder(target, draft, Exact(), 7).generate(prompt, 1000, eos_token_id=())
    assert output.sequences.shape[1] == POSITIONS
    assert torch.equal(output.sequences, greedy(target, prompt, POSITIONS - prompt.shape[1]))


def test_a_model_whose_state_cannot_be_rolled_back_is_refused(prompt: Tensor) -> None:
    from judge_lightning.errors import UserError

    mamba = hf.MambaForCausalLM(
        hf.MambaConfig(vocab_size=VOCABULARY, hidden_size=HIDDEN, num_hidden_layers=LAYERS, **IDS)
    ).eval()
    target, _ = with_noisy_draft("llama_tied")
    with pytest.raises(UserError, match=r"rolled back|cache"):
        SpeculativeDecoder(target, mamba, Exact(), 4).generate(prompt, 8)
