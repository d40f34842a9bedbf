from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from judge_lightning.errors import UserError
from judge_lightning.models.pair import (
    ModelSource,
    load_model,
    load_pair,
    load_tokenizer,
)
from judge_lightning.models.shape import Growth
from judge_lightning.models.vocabulary import check_vocabularies

SaveTokenizer = Callable[[Path, list[str]], None]
WORDS = ["<pad>", "<s>", "</s>", "one", "two", "three", "four"]


def test_a_pair_of_folders_is_loaded_ready_to_decode(folder: Path) -> None:
    pair = load_pair(str(folder), str(folder), device="cpu")
    assert not pair.target.training
    assert not pair.draft.training
    assert pair.target.dtype == torch.float32
    assert pair.tokenizer("one two").input_ids == [3, 4]


def test_a_model_is_loaded_in_the_dtype_asked_for(folder: Path) -> None:
    model = load_model(ModelSource(str(folder), dtype="bfloat16"), device="cpu")
    assert model.dtype == torch.bfloat16


def test_a_chat_template_of_ones_own_replaces_the_tokenizers(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "chat.jinja").write_text("{{ messages[0].content }} !")
    tokenizer = load_tokenizer(str(folder), chat_template=tmp_path / "chat.jinja")
    messages = [{"role": "user", "content": "one"}]
    assert tokenizer.apply_chat_template(messages, tokenize=False) == "one !"


def test_different_vocabularies_are_refused_by_their_first_difference(
    folder: Path, tmp_path: Path, save_tokenizer: SaveTokenizer
) -> None:
    words = [*WORDS]
    words[4], words[5] = words[5], words[4]
    save_tokenizer(tmp_path / "other", words)
    (tmp_path / "other" / "config.json").write_bytes((folder / "config.json").read_bytes())
    theirs = load_tokenizer(str(tmp_path / "other"))
    with pytest.raises(UserError, match="first in 4: 'three' in the draft, 'two' in the target"):
        check_vocabularies(load_tokenizer(str(folder)), theirs)


def test_a_draft_with_more_tokens_is_refused(
    folder: Path, tmp_path: Path, save_tokenizer: SaveTokenizer
) -> None:
    save_tokenizer(tmp_path / "other", [*WORDS, "five"])
    (tmp_path / "other" / "config.json").write_bytes((folder / "config.json").read_bytes())
    with pytest.raises(UserError, match="1 ids, first in 7: 'five' in the draft, None"):
        load_pair(str(folder), str(tmp_path / "other"), device="cpu")


def test_a_model_without_a_row_for_every_token_is_refused(
    folder: Path, tmp_path: Path, save_tokenizer: SaveTokenizer
) -> None:
    save_tokenizer(tmp_path / "other", [*WORDS, "five"])
    (tmp_path / "other" / "config.json").write_bytes((folder / "config.json").read_bytes())
    with pytest.raises(UserError, match="its vocabulary has 7 rows, the tokenizer has the id 7"):
        load_pair(str(tmp_path / "other"), str(tmp_path / "other"), device="cpu")


def test_padded_vocabularies_of_different_sizes_are_a_pair(folder: Path, tmp_path: Path) -> None:
    padded = tmp_path / "padded"
    shutil.copytree(folder, padded)
    model = load_model(ModelSource(str(folder)), device="cpu")
    model.resize_token_embeddings(16)
    model.save_pretrained(padded)
    pair = load_pair(str(folder), str(padded), device="cpu")
    assert pair.draft.config.vocab_size == 16


@pytest.mark.parametrize("quantization", ["int8", "nf4"])
def test_bitsandbytes_quantizes_on_the_cpu(folder: Path, quantization: str) -> None:
    pytest.importorskip("bitsandbytes")
    source = ModelSource(str(folder), dtype="bfloat16", quantization=quantization)
    model = load_model(source, device="cpu")
    expected = torch.int8 if quantization == "int8" else torch.uint8
    assert model.model.layers[0].mlp.up_proj.weight.dtype == expected
    assert model.lm_head.weight.dtype == torch.bfloat16
    assert torch.isfinite(model(torch.tensor([[1, 3, 4]])).logits).all()


@torch.inference_mode()
@pytest.mark.parametrize("growth", [None, Growth(num_hidden_layers=4)])
def test_torchao_quantizes_weights_alone_on_the_cpu(folder: Path, growth: Growth | None) -> None:
    pytest.importorskip("torchao")
    plain = load_model(ModelSource(str(folder)), device="cpu")
    source = ModelSource(str(folder), dtype="bfloat16", quantization="int8wo", grow=growth)
    model = load_model(source, device="cpu")
    weight = model.model.layers[1].mlp.up_proj.weight
    assert type(weight) is not torch.nn.Parameter
    held = weight.qdata.nbytes + weight.scale.nbytes + weight.zero_point.nbytes
    assert held == weight.numel() + 5 * weight.shape[0]
    ids = torch.tensor([[1, 3, 4]])
    logits, expected = model(ids).logits.float(), plain(ids).logits
    assert (logits - expected).norm() < 0.05 * expected.norm()


@pytest.mark.parametrize(("kind", "library"), [("int8", "bitsandbytes"), ("int8wo", "torchao")])
def test_a_quantization_whose_library_is_missing_is_refused_before_a_file_is_read(
    kind: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("judge_lightning.models.quantization.find_spec", lambda name: None)
    with pytest.raises(UserError, match=f"{kind} needs {library}, which is not installed; pip"):
        load_model(ModelSource("no/model", quantization=kind), device="cpu")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "needs the processes of torchrun"),
        ({"device_map": "auto"}, "cannot be combined with device_map=auto"),
        ({"quantization": "int8"}, "cannot split weights that are quantized"),
        ({"grow": Growth(num_hidden_layers=4)}, "cannot split a stand-in"),
    ],
)
def test_tensor_parallelism_is_refused_where_it_cannot_be(
    changes: dict[str, Any], message: str
) -> None:
    source = replace(ModelSource("no/model", tensor_parallel=True), **changes)
    with pytest.raises(UserError, match=message) as error:
        load_model(source, device="cpu")
    assert error.value.field == "tensor_parallel"


def test_a_target_of_ones_own_needs_a_draft(folder: Path) -> None:
    with pytest.raises(UserError, match=r"pair\.draft"):
        load_pair(str(folder))


@pytest.mark.parametrize(
    ("field", "value"), [("dtype", "float7"), ("dtype", "int64"), ("quantization", "int2")]
)
def test_an_unknown_dtype_or_quantization_is_refused(folder: Path, field: str, value: str) -> None:
    source = replace(ModelSource(str(folder)), **{field: value})
    with pytest.raises(UserError) as error:
        load_model(source, device="cpu")
    assert error.value.field == field


def test_a_hub_model_out_of_reach_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError) as error:
        load_model(ModelSource("org/no-such-model"), device="cpu")
    assert error.value.field == "org/no-such-model"
    assert "\n" not in str(error.value)
