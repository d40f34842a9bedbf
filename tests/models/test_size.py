from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM

from judge_lightning.errors import UserError
from judge_lightning.models.size import measure_size

LLAMA_8B = {
    "model_type": "llama",
    "vocab_size": 128256,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
}
LLAMA_405B = {
    **LLAMA_8B,
    "hidden_size": 16384,
    "intermediate_size": 53248,
    "num_hidden_layers": 126,
    "num_attention_heads": 128,
}
HEAD_AND_EMBEDDINGS = 2 * 128256 * 4096


def test_a_folder_is_counted_as_the_loaded_model(folder: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder)
    size = measure_size(str(folder))
    assert size.parameters == model.num_parameters()
    assert size.weights == 4 * size.parameters
    assert size.cache_per_token == 2 * 2 * 2 * 4 * 4
    assert size.download == 0


@pytest.mark.parametrize(
    ("shape", "parameters"), [(LLAMA_8B, 8_030_261_248), (LLAMA_405B, 405_853_388_800)]
)
def test_the_llamas_have_the_parameters_that_their_cards_state(
    shape: dict[str, object], parameters: int
) -> None:
    assert measure_size("meta-llama/x", shape, dtype="bfloat16").parameters == parameters


def test_tied_embeddings_count_once() -> None:
    loose = measure_size("org/x", LLAMA_8B).parameters
    tied = measure_size("org/x", {**LLAMA_8B, "tie_word_embeddings": True}).parameters
    assert loose - tied == HEAD_AND_EMBEDDINGS // 2


def test_int8_halves_all_linear_weights_but_the_head() -> None:
    size = measure_size("org/x", LLAMA_8B, dtype="bfloat16", quantization="int8")
    norms = 65 * 4096
    linear = size.parameters - HEAD_AND_EMBEDDINGS - norms
    rows = 32 * (4096 + 2 * 1024 + 4096 + 2 * 14336 + 4096)
    assert size.weights == linear + 2 * (HEAD_AND_EMBEDDINGS + norms) + 4 * rows


def test_nf4_is_smaller_than_int8() -> None:
    int8, nf4 = (
        measure_size("org/x", LLAMA_8B, dtype="bfloat16", quantization=name).weights
        for name in ("int8", "nf4")
    )
    assert nf4 < 0.72 * int8


def test_the_cache_of_a_token_follows_the_key_value_heads() -> None:
    assert measure_size("org/x", LLAMA_8B, dtype="bfloat16").cache_per_token == 131072


def test_a_hub_model_is_downloaded_in_its_saved_dtype() -> None:
    size = measure_size("org/x", {**LLAMA_8B, "dtype": "bfloat16"}, quantization="int8")
    assert size.download == 2 * size.parameters


@pytest.mark.parametrize("shape", [None, {"hidden_size": 8}, {"model_type": "no_such_type"}])
def test_a_missing_or_wrong_shape_is_refused(shape: dict[str, object] | None) -> None:
    with pytest.raises(UserError, match="shape"):
        measure_size("org/no-such-model", shape)
