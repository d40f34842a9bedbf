"""The least time of a pass: bytes over bandwidth, or operations over the multipliers' rate."""

from __future__ import annotations

import pytest

from judge_lightning.models.machine import GIB
from judge_lightning.models.pass_time import (
    Engine,
    Hardware,
    multiplied,
    pass_time,
    weights_read,
)
from judge_lightning.models.size import ModelSize, measure_size

SHAPE = {
    "model_type": "llama",
    "vocab_size": 1000,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
TABLE = 1000 * 64
DEVICE = Hardware("test", GIB, 1e9, 1e12, "nowhere")


def size(**changes: object) -> ModelSize:
    return measure_size("org/x", {**SHAPE, **changes}, dtype="bfloat16")


def test_a_pass_reads_all_weights_but_an_untied_table() -> None:
    loose, tied = size(), size(tie_word_embeddings=True)
    assert weights_read(loose) == loose.weights - 2 * TABLE
    assert weights_read(tied) == pytest.approx(tied.weights, rel=0.01)


def test_every_token_is_multiplied_with_all_weights_but_an_untied_table() -> None:
    loose, tied = size(), size(tie_word_embeddings=True)
    assert multiplied(loose) == loose.parameters - TABLE
    assert multiplied(tied) == tied.parameters


def test_one_token_waits_for_memory_and_many_for_the_multipliers() -> None:
    engine = Engine(DEVICE, 1, split=False)
    one = pass_time(size(), engine, tokens=1)
    many = pass_time(size(), engine, tokens=4000)
    assert one.seconds == one.reading == weights_read(size()) / 1e9
    assert many.seconds == many.calculating > many.reading
    assert "GB / (1 x 0.001 TB/s)" in one.formula()
    assert "TFLOP/s" in many.formula()


def test_a_cache_is_read_besides() -> None:
    engine = Engine(DEVICE, 1, split=False)
    short = pass_time(size(), engine, tokens=1)
    long = pass_time(size(), engine, tokens=1, rows=3, context=100)
    assert long.moved - short.moved == 3 * 100 * size().cache_per_token


def test_only_split_blocks_use_all_devices_at_once() -> None:
    blocks = pass_time(size(), Engine(DEVICE, 8, split=False), tokens=1)
    split = pass_time(size(), Engine(DEVICE, 8, split=True), tokens=1)
    assert blocks.seconds == pytest.approx(8 * split.seconds)


def test_a_share_of_the_bound_takes_longer() -> None:
    bound = pass_time(size(), Engine(DEVICE, 1, split=False), tokens=1)
    half = pass_time(size(), Engine(DEVICE, 1, split=False, share=0.5), tokens=1)
    assert half.seconds == pytest.approx(2 * bound.seconds)
