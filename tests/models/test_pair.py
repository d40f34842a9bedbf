from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from judge_lightning.errors import UserError
from judge_lightning.models.pair import (
    ModelSource,
    check_vocabularies,
    load_model,
    load_pair,
    load_tokenizer,
)

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
