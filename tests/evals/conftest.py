"""A tiny random pair with a tokenizer, saved as real model folders, and a judge for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from judge_lightning.court.records import Prompt
from judge_lightning.heads import HeadConfig, JudgeHead
from judge_lightning.models.fingerprint import fingerprint
from judge_lightning.models.pair import Pair, load_pair

HIDDEN = 32
LAYERS = 2
TEMPLATE = (
    "<|user|>{{ messages[0]['content'] }}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.fixture(scope="session")
def pair_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the folders ``target``, ``draft`` and ``judge``."""
    root = tmp_path_factory.mktemp("pair")
    tokenizer = _byte_tokenizer()
    for name, seed in (("target", 0), ("draft", 1)):
        torch.manual_seed(seed)
        config = LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=HIDDEN,
            intermediate_size=64,
            num_hidden_layers=LAYERS,
            num_attention_heads=2,
            max_position_embeddings=256,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=tokenizer.eos_token_id,
            initializer_range=0.4,
            tie_word_embeddings=False,
        )
        LlamaForCausalLM(config).save_pretrained(root / name)
        tokenizer.save_pretrained(root / name)
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


def _byte_tokenizer() -> PreTrainedTokenizerFast:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    specials = ["<|end|>", "<|user|>", "<|assistant|>"]
    vocabulary = {token: number for number, token in enumerate(specials + alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>")
    fast.add_special_tokens({"additional_special_tokens": specials[1:]})
    fast.chat_template = TEMPLATE
    return fast
