"""What cannot be decoded gets one line that says what is wrong and what would be right.

Whatever can be known before decoding is refused when the decoder is made.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
import transformers as hf
from torch import Tensor
from transformers import PreTrainedModel

from judge_lightning import AutoregressiveDecoder, JudgeHead, SpeculativeDecoder
from judge_lightning.errors import UserError
from judge_lightning.heads import HeadConfig
from judge_lightning.verifiers import Exact, Judge

Models = tuple[PreTrainedModel, PreTrainedModel]
HIDDEN, LAYERS, VOCABULARY = 32, 2, 61


def with_nan(model: PreTrainedModel) -> PreTrainedModel:
    damaged = copy.deepcopy(model)
    with torch.no_grad():
        damaged.get_output_embeddings().weight[5] = float("nan")
    return damaged


def llama_of(vocabulary: int) -> PreTrainedModel:
    return hf.LlamaForCausalLM(
        hf.LlamaConfig(
            vocab_size=vocabulary, hidden_size=8, intermediate_size=8, num_hidden_layers=1,
            num_attention_heads=2, max_position_embeddings=96,
        )
    ).eval()  # fmt: skip


def mamba() -> PreTrainedModel:
    return hf.MambaForCausalLM(
        hf.MambaConfig(vocab_size=VOCABULARY, hidden_size=HIDDEN, num_hidden_layers=1)
    ).eval()


def without_cache() -> PreTrainedModel:
    return hf.OpenAIGPTLMHeadModel(
        hf.OpenAIGPTConfig(vocab_size=VOCABULARY, n_embd=HIDDEN, n_layer=1, n_head=4)
    ).eval()


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        act()
    line = str(caught.value)
    assert "\n" not in line
    return line


@pytest.mark.parametrize("draft_length", [0, -3])
def test_a_draft_length_below_one(llama: Models, draft_length: int) -> None:
    assert refusal(lambda: SpeculativeDecoder(*llama, Exact(), draft_length)) == (
        f"engine.draft_length: is {draft_length}; give at least 1"
    )


@pytest.mark.parametrize(
    ("width", "layers", "line"),
    [
        (
            64,
            2,
            "judge: reads embeddings of width 64, the target's are 32 wide;"
            " use a judge that was trained on this target",
        ),
        (
            32,
            3,
            "judge: reads layer 0 of 3, the target has 2 layers;"
            " use a judge that was trained on this target",
        ),
    ],
)
def test_a_head_of_another_width_or_depth(
    llama: Models, width: int, layers: int, line: str
) -> None:
    judge = Judge(JudgeHead(HeadConfig(width, 0, layers)))
    assert refusal(lambda: SpeculativeDecoder(*llama, judge, 4)) == line


def test_a_head_of_a_layer_that_its_target_does_not_have() -> None:
    assert refusal(lambda: HeadConfig(HIDDEN, 2, LAYERS)) == (
        "judge layer: 2 does not fit; the target has layers 0 to 1"
    )


@pytest.mark.parametrize("rows", [VOCABULARY + 5000, 5000])
def test_a_draft_with_another_vocabulary(llama: Models, rows: int) -> None:
    draft = llama_of(rows)
    assert refusal(lambda: SpeculativeDecoder(llama[0], draft, Exact(), 4)) == (
        f"pair.draft: its vocabulary has {rows} rows, the target's 61: more than padding explains;"
        " choose a draft with the target's tokenizer"
    )


@pytest.mark.parametrize("token", [VOCABULARY, -1])
def test_a_prompt_with_a_token_that_the_target_does_not_have(llama: Models, token: int) -> None:
    decoder = SpeculativeDecoder(*llama, Exact(), 4)
    assert refusal(lambda: decoder.generate(torch.tensor([[1, token]]), 4)) == (
        f"input_ids: holds the id {token}, the vocabulary ends at 60;"
        " use the tokenizer of these models"
    )


def test_a_prompt_with_a_token_that_only_the_target_has(llama: Models) -> None:
    decoder = SpeculativeDecoder(llama[0], llama_of(50), Exact(), 4)
    assert refusal(lambda: decoder.generate(torch.tensor([[1, 55]]), 4)) == (
        "input_ids: holds the id 55, the vocabulary ends at 49; use the tokenizer of these models"
    )


def test_a_prompt_that_fills_all_positions(llama: Models) -> None:
    decoder = SpeculativeDecoder(*llama, Exact(), 4)
    assert refusal(lambda: decoder.generate(torch.ones((1, 96), dtype=torch.long), 4)) == (
        "input_ids: has 96 tokens, the target has 96 positions; shorten the prompt"
    )


@pytest.mark.parametrize("role", ["target", "draft"])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_logits_that_are_nan(llama: Models, prompt: Tensor, role: str, temperature: float) -> None:
    target, draft = llama
    pair = (with_nan(target), draft) if role == "target" else (target, with_nan(draft))
    decoder = SpeculativeDecoder(*pair, Exact(), 4)
    assert refusal(lambda: decoder.generate(prompt, 8, temperature=temperature)) == (
        f"pair.{role}: its logits are NaN;"
        " load it in float32 or bfloat16, without quantization, and check its files"
    )


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_logits_that_are_nan_of_a_model_alone(
    llama: Models, prompt: Tensor, temperature: float
) -> None:
    decoder = AutoregressiveDecoder(with_nan(llama[0]))
    assert refusal(lambda: decoder.generate(prompt, 8, temperature=temperature)) == (
        "pair: LlamaForCausalLM gives logits that are NaN;"
        " load it in float32 or bfloat16, without quantization, and check its files"
    )


@pytest.mark.parametrize("engine", ["eager", "compiled"])
def test_a_model_without_a_usable_cache(llama: Models, engine: str) -> None:
    """Refused when the decoder is made, as target, as draft and alone."""
    recurrent, none = mamba(), without_cache()
    lines = {
        recurrent: "pair: MambaForCausalLM has layers whose state cannot be rolled back;"
        " use models with attention layers only",
        none: "pair: OpenAIGPTLMHeadModel keeps no cache of keys and values;"
        " use a decoder that does",
    }
    for model, line in lines.items():
        for act in (
            lambda model=model: SpeculativeDecoder(llama[0], model, Exact(), 4, engine),
            lambda model=model: SpeculativeDecoder(model, llama[1], Exact(), 4, engine),
            lambda model=model: AutoregressiveDecoder(model, engine),
        ):
            assert refusal(act) == line
