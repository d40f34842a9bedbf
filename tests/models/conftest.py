"""A model and a tokenizer of seven words, saved to a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

WORDS = ["<pad>", "<s>", "</s>", "one", "two", "three", "four"]


@pytest.fixture
def save_tokenizer() -> Callable[[Path, list[str]], None]:
    """Saves a tokenizer of whole words, whose ids are their places in the list."""

    def save(folder: Path, words: list[str]) -> None:
        vocabulary = {word: number for number, word in enumerate(words)}
        tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<pad>"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
        ).save_pretrained(folder)

    return save


@pytest.fixture
def folder(tmp_path: Path, save_tokenizer: Callable[[Path, list[str]], None]) -> Path:
    """A saved two-layer Llama with seven words."""
    folder = tmp_path / "model"
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=32,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    save_tokenizer(folder, WORDS)
    return folder
