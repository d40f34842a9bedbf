"""Answers depend on prompt, author and seed, and on nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from judge_lightning.court.drafters import Drafter, generate_answers, write_batch
from judge_lightning.court.prompting import render_prompt
from judge_lightning.court.records import Answer, Prompt

PROMPTS = [
    Prompt(f"p{n}", "Why " * (n + 1), "1", "f", "train", {"checker": "final_number"})
    for n in range(7)
]
Generate = Callable[..., list[Answer]]


@pytest.fixture(scope="module")
def model(tiny_llama: Callable[[int], LlamaForCausalLM]) -> LlamaForCausalLM:
    return tiny_llama(3)


@pytest.fixture
def generate(model: LlamaForCausalLM, byte_tokenizer: PreTrainedTokenizerFast) -> Generate:
    def call(drafter: Drafter, batch_size: int = 4, seed: int = 0) -> list[Answer]:
        return generate_answers(
            model, byte_tokenizer, PROMPTS, drafter,
            max_new_tokens=24, batch_size=batch_size, seed=seed,
        )  # fmt: skip

    return call


def test_greedy_answers_are_the_models_own(
    model: LlamaForCausalLM, byte_tokenizer: PreTrainedTokenizerFast, generate: Generate
) -> None:
    for prompt, answer in zip(PROMPTS, generate(Drafter("draft")), strict=True):
        ids = torch.tensor([render_prompt(byte_tokenizer, prompt.text)])
        alone = model.generate(ids, max_new_tokens=24, do_sample=False, pad_token_id=0)
        assert answer.token_ids == alone[0, ids.shape[1] :].tolist()


def test_an_answer_does_not_depend_on_its_batch(generate: Generate) -> None:
    drafter = Drafter("draft", temperature=1.0, samples=2)

    assert generate(drafter, batch_size=1) == generate(drafter, batch_size=14)


def test_another_seed_draws_other_answers(generate: Generate) -> None:
    drafter = Drafter("draft", temperature=2.0)

    assert generate(drafter, seed=0) != generate(drafter, seed=1)


def test_answers_come_in_the_order_of_prompts_and_samples(generate: Generate) -> None:
    answers = generate(Drafter("draft", temperature=1.0, samples=2))

    assert [(answer.prompt_id, answer.sample) for answer in answers] == [
        (prompt.id, sample) for prompt in PROMPTS for sample in range(2)
    ]


def test_a_finished_answer_ends_in_the_end_token(
    generate: Generate, byte_tokenizer: PreTrainedTokenizerFast
) -> None:
    answers = generate(Drafter("draft", temperature=3.0, samples=8))

    assert any(answer.finished for answer in answers)
    for answer in answers:
        ends = answer.token_ids[-1] == byte_tokenizer.eos_token_id
        assert answer.finished == ends
        assert byte_tokenizer.eos_token_id not in answer.token_ids[:-1]
        assert answer.finished or len(answer.token_ids) == 24


def test_sampled_tokens_follow_the_models_distribution(model: LlamaForCausalLM) -> None:
    prompt, draws, temperature = [5, 6, 7], 4000, 2.0
    written = write_batch(
        model, [prompt] * draws, frozenset(), max_new_tokens=1, temperature=temperature,
        randoms=torch.rand(draws, 1, generator=torch.Generator().manual_seed(0)),
    )  # fmt: skip
    with torch.inference_mode():
        logits = model(torch.tensor([prompt])).logits[0, -1]
    expected = torch.softmax(logits / temperature, -1)

    counts = Counter(row[0] for row in written)

    seen = torch.tensor([counts[token] / draws for token in range(len(expected))])
    assert (seen - expected).abs().sum() / 2 < 0.1
