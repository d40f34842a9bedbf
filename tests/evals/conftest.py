"""A tiny random pair, saved as real model folders, and a judge for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from evals.lm.model import JudgeDecodingLM
from judge_lightning.court.records import Prompt, write_records
from judge_lightning.heads import HeadConfig, JudgeHead
from judge_lightning.models.fingerprint import fingerprint
from judge_lightning.models.pair import Pair, load_pair

HIDDEN = 32
LAYERS = 2


@pytest.fixture(scope="session")
def pair_folder(
    tmp_path_factory: pytest.TempPathFactory,
    byte_tokenizer: PreTrainedTokenizerFast,
    tiny_llama: Callable[[int], LlamaForCausalLM],
) -> Path:
    """Holds the folders ``target``, ``draft`` and ``judge``."""
    root = tmp_path_factory.mktemp("pair")
    for seed, name in enumerate(("target", "draft")):
        tiny_llama(seed).save_pretrained(root / name)
        byte_tokenizer.save_pretrained(root / name)
    torch.manual_seed(2)
    shape = HeadConfig(HIDDEN, 1, LAYERS, target=fingerprint(str(root / "target")))
    head = JudgeHead.from_weights(torch.randn(HIDDEN), 0.0, shape)
    head.save_pretrained(root / "judge")
    return root


@pytest.fixture(scope="session")
def load(pair_folder: Path) -> Callable[[], Pair]:
    return partial(load_pair, str(pair_folder / "target"), str(pair_folder / "draft"), device="cpu")


@pytest.fixture(scope="session")
def pair(load: Callable[[], Pair]) -> Pair:
    return load()


@pytest.fixture(scope="session")
def prompts() -> list[Prompt]:
    """Six word prompts and two of another family, all held out."""
    return [
        Prompt(
            id=f"{family}-{number}",
            text=f"A {family} problem: {number} + {number}?",
            reference=str(2 * number),
            family=family,
            split="eval",
            meta={"checker": "final_number"},
        )
        for family, count in (("word", 6), ("code", 2))
        for number in range(count)
    ]


@pytest.fixture
def prompts_folder(tmp_path: Path, prompts: list[Prompt]) -> Path:
    """The artifact of the stage prompts that holds them."""
    folder = tmp_path / "prompts"
    folder.mkdir()
    write_records(folder / "prompts.jsonl", prompts)
    return folder


@pytest.fixture
def make_lm(pair: Pair, pair_folder: Path) -> Callable[..., JudgeDecodingLM]:
    def make(decoder: str = "judge", **settings: Any) -> JudgeDecodingLM:
        judge = str(pair_folder / "judge")
        defaults = {"judge": judge, "draft_length": 4, "max_gen_toks": 12}
        return JudgeDecodingLM(lambda: pair, verifier=decoder, **{**defaults, **settings})

    return make
