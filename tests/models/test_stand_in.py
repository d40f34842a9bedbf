"""Loading a stand-in from its seed's files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from judge_lightning.errors import UserError
from judge_lightning.models.machine import Machine
from judge_lightning.models.pair import ModelSource, load_model, load_pair
from judge_lightning.models.shape import Growth
from judge_lightning.models.size import measure_size

GROWTH = Growth(hidden_size=64, intermediate_size=96, num_hidden_layers=4, vocab_size=9)
IDS = torch.tensor([[1, 3, 4, 5, 6, 3]])


@pytest.fixture
def source(folder: Path) -> ModelSource:
    return ModelSource(str(folder), grow=GROWTH)


@torch.no_grad()
def test_a_source_that_grows_is_loaded_as_its_seeds_stand_in(source: ModelSource) -> None:
    seed = load_model(replace(source, grow=None), "cpu")
    grown = load_model(source, "cpu")
    assert not grown.training
    assert grown.config.hidden_size == 64
    torch.testing.assert_close(grown(IDS).logits[..., :7], seed(IDS).logits, atol=1e-4, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("quantization", ["int8", "nf4"])
def test_a_quantized_stand_in_stays_close_to_its_seed(
    quantization: str, source: ModelSource
) -> None:
    pytest.importorskip("bitsandbytes")
    seed = load_model(replace(source, grow=None), "cpu")
    # With AVX-512 in bfloat16, bitsandbytes packs four-bit weights in blocks: 32 rows by 64.
    source = replace(source, grow=replace(GROWTH, head_dim=32, intermediate_size=128))
    grown = load_model(replace(source, dtype="bfloat16", quantization=quantization), "cpu")
    weights = {name: p.dtype for name, p in grown.named_parameters() if "proj" in name}
    expected_dtype = torch.int8 if quantization == "int8" else torch.uint8
    assert set(weights.values()) == {expected_dtype}
    assert grown.lm_head.weight.dtype == torch.bfloat16
    logits, expected = grown(IDS).logits[..., :7].float(), seed(IDS).logits
    assert (logits - expected).norm() < 0.1 * expected.norm()


@torch.no_grad()
def test_a_device_map_places_whole_blocks(source: ModelSource) -> None:
    grown = load_model(replace(source, device_map="auto"), "cpu")
    seed = load_model(replace(source, grow=None), "cpu")
    logits = grown(IDS.to(grown.device)).logits[..., :7].cpu()
    torch.testing.assert_close(logits, seed(IDS).logits, atol=1e-4, rtol=0)


def test_a_model_larger_than_the_memory_is_refused(
    source: ModelSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_machine = Machine((10_000,), is_gpu=False)
    monkeypatch.setattr("judge_lightning.models.stand_in.this_machine", lambda _: tiny_machine)
    with pytest.raises(UserError, match=r"do not fit: this machine's RAM .* build fewer layers"):
        load_model(replace(source, device_map="auto"), "cpu")


def test_a_pair_may_have_one_model_that_is_grown(source: ModelSource) -> None:
    target = replace(source, grow=replace(GROWTH, vocab_size=None))
    pair = load_pair(target, replace(source, grow=None), device="cpu")
    assert (pair.target.config.hidden_size, pair.draft.config.hidden_size) == (64, 16)


def test_a_stand_in_of_another_vocabulary_is_refused_before_it_is_grown(
    source: ModelSource,
) -> None:
    with pytest.raises(UserError, match="draft's vocabulary has 7 rows, the target's 9") as error:
        load_pair(source, replace(source, grow=None), device="cpu")
    assert error.value.field == "pair.target.grow.vocab_size"


def test_the_planned_size_is_that_of_the_loaded_model(source: ModelSource) -> None:
    size = measure_size(source.path, growth=GROWTH)
    assert size.parameters == load_model(source, "cpu").num_parameters()
    assert size.cache_per_token == 2 * 4 * 2 * 4 * 4
    assert size.download == 0


def test_a_model_of_another_architecture_is_refused(tmp_path: Path) -> None:
    GPT2LMHeadModel(GPT2Config(n_embd=8, n_layer=1, n_head=1, vocab_size=7)).save_pretrained(
        tmp_path
    )
    with pytest.raises(UserError, match="of type 'gpt2'; grow a model of type llama"):
        load_model(ModelSource(str(tmp_path), grow=GROWTH), "cpu")


def test_an_unknown_dtype_is_refused_before_the_seed_is_read() -> None:
    with pytest.raises(UserError, match=r"^dtype: 'float7'"):
        load_model(ModelSource("no/model", dtype="float7", grow=GROWTH), "cpu")
