"""Answers depend on prompt, author and seed, and on nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from judge_lightning.court.batches import BatchWriter, Continuation, write_batch
from judge_lightning.court.drafters import Drafter, LocalAuthor, generate_answers
from judge_lightning.court.prompting import render_prompt
from judge_lightning.court.records import Answer, Prompt
from judge_lightning.errors import UserError
from judge_lightning.models.batch_rows import RowPlan

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


@contextmanager
def memory_for(model: LlamaForCausalLM, rows: int) -> Iterator[list[int]]:
    """Passes over more rows run out of memory; gives the rows of all that were tried."""
    tried: list[int] = []

    def check(module: object, args: object, kwargs: dict[str, torch.Tensor]) -> None:
        tried.append(len(kwargs["input_ids"]))
        if tried[-1] > rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    hook = model.register_forward_pre_hook(check, with_kwargs=True)
    yield tried
    hook.remove()


def test_running_out_of_memory_halves_the_batch_and_changes_no_answer(
    model: LlamaForCausalLM, byte_tokenizer: PreTrainedTokenizerFast, generate: Generate
) -> None:
    drafter = Drafter("draft", temperature=1.0, samples=2)
    expected = generate(drafter, batch_size=14)

    with memory_for(model, rows=4) as tried:
        author = LocalAuthor(model, byte_tokenizer, drafter, max_new_tokens=24, batch_size=14)
        first, second = author.write(PROMPTS), author.write(PROMPTS)

    for drafts in (first, second):
        assert [draft.token_ids for draft in drafts.written] == [
            answer.token_ids for answer in expected
        ]
    assert [rows for rows in tried if rows > 4] == [14, 7]


def test_memory_too_small_for_one_row_is_said(model: LlamaForCausalLM) -> None:
    with (
        memory_for(model, rows=0),
        pytest.raises(UserError, match="too small for one prompt of 3 tokens"),
    ):
        BatchWriter(model, frozenset(), 8).write([Continuation([1, 2, 3], 4)])


def test_another_error_is_not_taken_for_memory(model: LlamaForCausalLM) -> None:
    with pytest.raises(IndexError):
        BatchWriter(model, frozenset(), 8).write([Continuation([10**6], 4)] * 8)


def test_the_first_batch_follows_from_the_free_memory(
    model: LlamaForCausalLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = RowPlan(model)
    need = plan.needed(16, 100, 100)
    monkeypatch.setattr("judge_lightning.models.batch_rows._free_bytes", lambda device: 2 * need)
    assert plan.rows(16, 100, 100) == 16
    monkeypatch.setattr("judge_lightning.models.batch_rows._free_bytes", lambda device: need)
    assert plan.rows(16, 100, 100) == 8
    monkeypatch.setattr("judge_lightning.models.batch_rows._free_bytes", lambda device: 0)
    assert plan.rows(16, 100, 100) == 1


def test_the_model_itself_fits_the_memory_of_this_machine(model: LlamaForCausalLM) -> None:
    assert RowPlan(model).rows(8, 50, 50) == 8


def test_continuations_of_several_temperatures_and_limits_keep_to_themselves(
    model: LlamaForCausalLM,
) -> None:
    asked = [
        Continuation([5, 6, 7 + n], limit=2 + n, temperature=[0.0, 1.5][n % 2], name=str(n))
        for n in range(6)
    ]
    together = BatchWriter(model, frozenset(), 6).write(asked)

    alone = BatchWriter(model, frozenset(), 1)

    assert together == [alone.write([one])[0] for one in asked]
    assert [len(ids) for ids in together] == [2, 3, 4, 5, 6, 7]


def test_an_answer_longer_than_the_context_is_rejected(
    model: LlamaForCausalLM, byte_tokenizer: PreTrainedTokenizerFast
) -> None:
    lengths = [len(render_prompt(byte_tokenizer, prompt.text)) for prompt in PROMPTS]
    author = LocalAuthor(
        model, byte_tokenizer, Drafter("draft"), max_new_tokens=24, batch_size=4,
        longest=lengths[3] + 24,
    )  # fmt: skip

    drafts = author.write(PROMPTS)

    assert [draft.prompt.id for draft in drafts.written] == ["p0", "p1", "p2", "p3"]
    assert {one.reason for one in drafts.rejected} == {"longer than the context"}
    assert [one.place for one in drafts.rejected] == [f"p{n}:draft:0" for n in (4, 5, 6)]


def test_a_prompt_that_fills_the_context_is_not_asked(
    model: LlamaForCausalLM, byte_tokenizer: PreTrainedTokenizerFast
) -> None:
    long = Prompt("long", "x" * 2000, "1", "f", "train", {"checker": "final_number"})
    author = LocalAuthor(
        model, byte_tokenizer, Drafter("draft", 1.0, 2), max_new_tokens=4, batch_size=4
    )

    drafts = author.write([long])

    assert drafts.written == []
    assert [one.reason for one in drafts.rejected] == ["longer than the context"] * 2
