"""What a plan adds up, against sums by hand and against a loaded model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoConfig, AutoModelForCausalLM

from judge_lightning.models.machine import GIB, Machine, parse_machine
from judge_lightning.models.memory_plan import (
    GPU_RESERVE,
    MemoryPlan,
    SizedModel,
    Workload,
    plan_memory,
    tightest_plan,
)
from judge_lightning.models.parts import count_parts
from judge_lightning.models.size import ModelSize, measure_size

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": 128256,
    "num_key_value_heads": 8,
    "max_position_embeddings": 131072,
}
LLAMA_8B = {
    **LLAMA, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
    "num_attention_heads": 32,
}  # fmt: skip
LLAMA_70B = {
    **LLAMA, "hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80,
    "num_attention_heads": 64,
}  # fmt: skip
LLAMA_405B = {
    **LLAMA, "hidden_size": 16384, "intermediate_size": 53248, "num_hidden_layers": 126,
    "num_attention_heads": 128,
}  # fmt: skip
TINY = {
    "model_type": "llama", "vocab_size": 500, "hidden_size": 64, "intermediate_size": 224,
    "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 2,
}  # fmt: skip


def sized(fields: dict[str, Any], quantization: str | None = None) -> ModelSize:
    return measure_size("org/x", fields, dtype="bfloat16", quantization=quantization)


def decode(**models: SizedModel) -> Workload:
    return Workload("decode", models, rows=1, prompt=512, new_tokens=512, draft_length=20)


def total(plan: MemoryPlan, what: str) -> int:
    return sum(getattr(device, what) for device in plan.devices)


@pytest.mark.parametrize("changes", [{}, {"tie_word_embeddings": True}])
def test_the_parts_are_those_of_a_model_in_memory(changes: dict[str, Any]) -> None:
    fields = {**TINY, **changes}
    config = AutoConfig.for_model(fields.pop("model_type"), **fields)
    model = AutoModelForCausalLM.from_config(config)
    parts = count_parts(model, 4, None)
    tied = bool(changes)
    norm = 64 * 4
    assert parts.embeddings == model.model.embed_tokens.weight.nbytes
    assert parts.head == norm + (0 if tied else model.lm_head.weight.nbytes)
    assert set(parts.blocks) == {sum(p.nbytes for p in model.model.layers[0].parameters())}
    assert parts.total == sum(p.nbytes for p in model.parameters())


def test_an_8b_on_one_gpu_adds_up_by_hand() -> None:
    plan = plan_memory(decode(target=SizedModel(sized(LLAMA_8B))), parse_machine("24 GiB"))
    (gpu,) = plan.devices
    assert gpu.weights == 2 * 8_030_261_248
    assert gpu.caches == 1024 * (2 * 32 * 8 * 128) * 2
    mlp = 2 * 512 * (3 * 4096 + 3 * 14336)
    beside = 512 * (2 * 4096 + 2 * 2 * 128 + 8)
    assert gpu.activations == mlp + beside + 21 * 128256 * (2 + 8)
    assert gpu.embeddings == 21 * 4096 * 2
    assert gpu.reserve == GPU_RESERVE
    assert gpu.needed + gpu.free == 24 * GIB
    assert plan.fits


@pytest.mark.parametrize(
    ("fields", "quantization", "machine", "fits"),
    [
        (LLAMA_70B, None, "2 x 80 GiB", True),  # 141.1 GB of weights, 70.6 each
        (LLAMA_70B, None, "2 x 64 GiB", False),
        (LLAMA_70B, "int8", "80 GiB", True),  # 72.7 GB
        (LLAMA_70B, "int8", "64 GiB", False),
        (LLAMA_70B, "nf4", "48 GiB", True),  # 42.7 GB
        (LLAMA_405B, "int8", "8 x 80 GiB", True),  # 410 GB, 47.7 GiB each
        (LLAMA_405B, "int8", "4 x 80 GiB", False),
        (LLAMA_405B, None, "8 x 80 GiB", False),  # 811.7 GB, 94.5 GiB each
        (LLAMA_405B, "nf4", "4 x 80 GiB", True),  # 234 GB, 54.5 GiB each
    ],
)
def test_the_llamas_fit_where_their_weights_say_that_they_do(
    fields: dict[str, Any], quantization: str | None, machine: str, fits: bool
) -> None:
    model = SizedModel(sized(fields, quantization), spread=True)
    plan = plan_memory(decode(target=model), parse_machine(machine))
    assert plan.fits is fits


def test_a_pair_is_spread_evenly_and_nothing_is_lost() -> None:
    target, draft = sized(LLAMA_405B, "int8"), sized(LLAMA_8B)
    workload = decode(target=SizedModel(target, spread=True), draft=SizedModel(draft, spread=True))
    plan = plan_memory(workload, parse_machine("8 x 80 GiB"))
    assert total(plan, "weights") == target.weights + draft.weights
    caches = 1024 * (target.cache_per_token + draft.cache_per_token)
    assert total(plan, "caches") == pytest.approx(caches, abs=16)
    room = [device.free for device in plan.devices]
    assert max(room) - min(room) < 1.5 * max(target.parts.blocks)


def test_a_target_in_eight_bits_of_405b_is_410_gb() -> None:
    size = sized(LLAMA_405B, "int8")
    per_block = 2 * 16384 * (16384 + 1024) + 3 * 16384 * 53248
    scales = 4 * (2 * 16384 + 2 * 1024 + 2 * 53248 + 16384)
    assert size.parts.blocks[0] == per_block + scales + 2 * 2 * 16384
    assert size.weights == 126 * size.parts.blocks[0] + 2 * 2 * 128256 * 16384 + 2 * 16384
    assert size.weights == pytest.approx(410.1e9, rel=1e-3)


def test_embedding_keeps_the_states_of_all_layers() -> None:
    model = SizedModel(sized(TINY))
    workload = Workload("embed", {"target": model}, rows=3, prompt=50, keeps_all_layers=True)
    (gpu,) = plan_memory(workload, parse_machine("8 GiB")).devices
    assert gpu.embeddings == (4 + 1) * 3 * 50 * 64 * 2
    assert gpu.caches == 0


def test_the_hosts_memory_holds_every_processs_copy_and_what_is_gathered() -> None:
    host = Machine((8 * GIB,), is_gpu=False)
    workload = decode(target=SizedModel(sized(TINY)))
    (one,) = plan_memory(workload, host).devices
    (three,) = plan_memory(replace(workload, copies=3, host_bytes=1000), host).devices
    assert three.weights == 3 * one.weights
    assert three.caches == 3 * one.caches
    assert three.embeddings == 3 * one.embeddings + 1000


def test_what_is_gathered_beside_gpus_is_named_and_is_on_none_of_them() -> None:
    workload = replace(decode(target=SizedModel(sized(TINY))), host_bytes=1000)
    plan = plan_memory(workload, parse_machine("8 GiB"))
    assert plan.host == 1000
    assert replace(plan, host=0) == plan_memory(
        replace(workload, host_bytes=0), parse_machine("8 GiB")
    )


def test_a_split_model_has_its_blocks_and_caches_in_equal_shares() -> None:
    size = sized(LLAMA_70B)
    plan = plan_memory(decode(target=SizedModel(size, split=True)), parse_machine("4 x 80 GiB"))
    shares = {device.weights for device in plan.devices}
    assert shares == {sum(size.parts.blocks) // 4 + size.parts.embeddings + size.parts.head}
    assert total(plan, "caches") == 1024 * size.cache_per_token


def test_a_context_ends_where_the_model_ends() -> None:
    short = sized({**TINY, "max_position_embeddings": 100})
    (gpu,) = plan_memory(decode(target=SizedModel(short)), parse_machine("8 GiB")).devices
    assert gpu.caches == 100 * short.cache_per_token


def test_the_tightest_of_several_plans_is_the_one_that_misses_most() -> None:
    model = SizedModel(sized(LLAMA_70B), spread=True)
    fits = plan_memory(decode(target=model), parse_machine("2 x 80 GiB"))
    homeless = plan_memory(decode(target=model), parse_machine("64 GiB"))
    assert tightest_plan([fits, homeless, fits]) is homeless
    assert homeless.missing > 60 * GIB


def test_the_planned_size_of_a_folder_is_that_of_the_loaded_model(folder: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert measure_size(str(folder)).weights == sum(p.nbytes for p in model.parameters())
