"""What the embedded pair promises: a good target, a draft that leaves something to judge."""

from __future__ import annotations

import hashlib
import json

import pytest
from hydra import compose, initialize_config_dir

from judge_lightning import load_pair
from judge_lightning.micro.examination import share_right
from judge_lightning.micro.paths import ASSETS
from judge_lightning.models.pair import ModelSource, load_model, load_tokenizer
from pipelines.composition import CONF, typed_config
from pipelines.config import register_schemas
from pipelines.stages.pretrain import STAGE


@pytest.mark.parametrize(
    ("name", "at_least", "at_most"),
    [
        ("target", 0.97, 1.0),
        ("target_small", 0.85, 1.0),
        ("draft_large", 0.80, 0.97),
        ("draft", 0.55, 0.80),
        ("draft_small", 0.0, 0.55),
    ],
)
def test_the_share_of_right_answers_is_as_promised(
    name: str, at_least: float, at_most: float
) -> None:
    model = load_model(ModelSource(f"micro:{name}"), device="cpu")
    tokenizer = load_tokenizer(f"micro:{name}")
    assert at_least <= share_right(model, tokenizer, "word", 200) <= at_most


def test_what_is_shipped_is_what_the_committed_recipe_makes() -> None:
    """The recipe that the weights were made with travels beside them."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        register_schemas()
        config = typed_config(compose("config", overrides=["+exp=micro_pretrain"]))
    shipped = json.loads((ASSETS / "pretraining.json").read_text(encoding="utf-8"))
    assert shipped["settings"] == STAGE.settings(config)
    assert shipped["version"] == STAGE.version
    for name, right in shipped["right"].items():
        recipe = config.pretrain.models[name]
        assert recipe.right_at_least <= right["word"] <= recipe.right_at_most
    for name, digest in shipped["weights"].items():
        weights = (ASSETS / name / "model.safetensors").read_bytes()
        assert hashlib.sha256(weights).hexdigest() == digest, name


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
