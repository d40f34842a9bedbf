"""Whole blocks on devices: what every placement keeps to, and the maps that come of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from accelerate.utils.modeling import check_device_map
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModelForCausalLM

from judge_lightning.errors import UserError
from judge_lightning.models.device_map import automatic_map, module_map
from judge_lightning.models.hidden_states import decoder_blocks
from judge_lightning.models.parts import Parts, count_parts
from judge_lightning.models.placement import Placement, place_on_one, spread

TINY: dict[str, dict[str, Any]] = {
    "llama": {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 4},
    "qwen3": {
        "hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 8, "tie_word_embeddings": True,
    },
    "gpt2": {"n_embd": 16, "n_head": 4, "n_positions": 32},
    "opt": {"hidden_size": 16, "ffn_dim": 24, "num_attention_heads": 4, "word_embed_proj_dim": 16,
            "max_position_embeddings": 32},
    "gpt_neox": {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 4},
    "mixtral": {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 4,
                "num_key_value_heads": 2},
}  # fmt: skip


def shell(kind: str) -> Any:
    config = AutoConfig.for_model(
        kind, vocab_size=50, pad_token_id=0, bos_token_id=0, eos_token_id=0, **TINY[kind]
    )
    config.num_hidden_layers = 6
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)


def used(parts: Parts, placement: Placement, devices: int) -> list[int]:
    places = (placement.embeddings, *placement.blocks, placement.head)
    sizes = (parts.embeddings, *parts.blocks, parts.head)
    return [
        sum(s for s, place in zip(sizes, places, strict=True) if place == d) for d in range(devices)
    ]


@given(
    st.integers(0, 50),
    st.lists(st.integers(1, 50), min_size=1, max_size=12),
    st.integers(0, 50),
    st.lists(st.integers(1, 200), min_size=1, max_size=6),
)
def test_a_placement_keeps_the_order_and_the_room_and_misses_no_chance(
    embeddings: int, blocks: list[int], head: int, free: list[int]
) -> None:
    parts = Parts(embeddings, tuple(blocks), head)
    placement = spread(parts, free)
    if placement is None:
        assert parts.total > max(free) or parts.total > sum(free)
        return
    places = [placement.embeddings, *placement.blocks, placement.head]
    assert places == sorted(places)
    taken = used(parts, placement, len(free))
    assert all(t <= f for t, f in zip(taken, free, strict=True))
    assert sum(taken) == parts.total


def test_equal_devices_are_filled_equally() -> None:
    parts = Parts(4, (3,) * 126, 4)
    taken = used(parts, spread(parts, [80] * 8) or place_on_one(parts), 8)
    assert max(taken) - min(taken) <= 4


def test_a_device_that_is_fuller_gets_less() -> None:
    parts = Parts(0, (1,) * 8, 0)
    assert used(parts, spread(parts, [10, 4]) or place_on_one(parts), 2) == [7, 1]


def test_what_does_not_fit_is_not_placed() -> None:
    assert spread(Parts(1, (3, 3), 1), [5, 2]) is None


@pytest.mark.parametrize("kind", TINY)
def test_a_map_names_every_weight_of_every_architecture_once(kind: str) -> None:
    model = shell(kind)
    parts = count_parts(model, 4, None)
    places = module_map(model, spread(parts, [parts.total // 2] * 4) or place_on_one(parts))
    check_device_map(model, places)
    assert len(set(places.values())) > 1
    for block in decoder_blocks(model):
        (name,) = [name for name, module in model.named_modules() if module is block]
        assert name in places


def test_a_tied_head_is_with_the_embeddings() -> None:
    model = shell("qwen3")
    places = module_map(model, Placement(0, (0, 0, 1, 1, 2, 2), 2))
    assert places["lm_head"] == places["model.embed_tokens"] == 0
    assert places["model.norm"] == 2


def test_weights_that_the_gpus_cannot_hold_are_refused_with_the_numbers() -> None:
    with pytest.raises(UserError, match=r"device_map: .* GiB of weights \(float32\) do not fit: 2"):
        automatic_map(shell("llama"), [1000, 1000], "float32", None)
