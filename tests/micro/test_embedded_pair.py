"""What the embedded pair promises: a good target, a draft that leaves something to judge."""

from __future__ import annotations

import pytest

from judge_lightning import load_pair
from judge_lightning.micro.examination import share_right
from judge_lightning.models.pair import ModelSource, load_model, load_tokenizer


@pytest.mark.parametrize(
    ("name", "at_least", "at_most"),
    [("target", 0.97, 1.0), ("draft", 0.55, 0.80), ("draft_small", 0.0, 0.55)],
)
def test_the_share_of_right_answers_is_as_promised(
    name: str, at_least: float, at_most: float
) -> None:
    model = load_model(ModelSource(f"micro:{name}"), device="cpu")
    tokenizer = load_tokenizer(f"micro:{name}")
    assert at_least <= share_right(model, tokenizer, "word", 200) <= at_most


def test_the_pair_is_an_ordinary_one_of_transformers() -> None:
    pair = load_pair("micro", device="cpu")
    for model in (pair.target, pair.draft):
        assert type(model).__name__ == "LlamaForCausalLM"
        assert model.config.head_dim % 32 == 0
        assert model.config.eos_token_id == pair.tokenizer.eos_token_id
        assert model.config.pad_token_id == pair.tokenizer.pad_token_id
        assert model.config.bos_token_id == pair.tokenizer.bos_token_id
    assert pair.tokenizer.is_fast
    assert pair.tokenizer.chat_template
