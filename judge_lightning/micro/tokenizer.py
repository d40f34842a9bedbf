"""The micro pair's tokenizer: byte-level BPE in which every word of the world is one token."""

from __future__ import annotations

import random
from collections import Counter

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from judge_lightning.micro.arithmetic import LARGEST
from judge_lightning.micro.corrections import CORRECTION
from judge_lightning.micro.grammar import WORD, render, split_words
from judge_lightning.micro.world import FAMILIES, problem

BEGIN, END, PAD = "<|begin|>", "<|end|>", "<|pad|>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")

CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] }}{{ eos_token }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def build_tokenizer(sampled_problems: int = 2000) -> PreTrainedTokenizerFast:
    """Trains the tokenizer on the world's own words.

    Any other text still encodes: unknown words fall back to smaller pieces or bytes.

    Args:
        sampled_problems: Problems per family from which words are collected.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORD.pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1 << 16,
        min_frequency=1,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[PAD, BEGIN, END, *ROLES],
        show_progress=False,
    )
    tokenizer.train_from_iterator(_vocabulary(sampled_problems), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=list(ROLES),
        chat_template=CHAT_TEMPLATE,
        model_max_length=1024,
        clean_up_tokenization_spaces=False,
    )


def _vocabulary(sampled_problems: int) -> list[str]:
    """Every word once, in a fixed order: numbers first, then by frequency."""
    counts: Counter[str] = Counter()
    rng = random.Random("micro:tokenizer")
    for family in FAMILIES:
        for index in range(sampled_problems):
            drawn = problem(family, index, "pretrain")
            counts.update(split_words(drawn.text))
            counts.update(render(drawn.answers, lambda c: rng.randrange(len(c.options))))
    numbers = [blank + str(n) for n in range(LARGEST + 1) for blank in (" ", "")]
    words = sorted(counts, key=lambda word: (-counts[word], word))
    return list(dict.fromkeys([*numbers, *split_words(CORRECTION), *words]))
