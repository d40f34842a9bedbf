"""A local model answers questions as an endpoint would, whatever shares its batch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from judge_lightning.court.chat import Completion, Failure, Message, Question
from judge_lightning.court.chat.local import LocalChat, render_messages
from judge_lightning.court.prompting import answer_text, render_prompt

QUESTIONS = [
    Question(
        f"q{n}",
        (Message("user", "Why " * (1 + n)),),
        max_new_tokens=5 + n,
        temperature=0.7 * (n % 2),
        samples=1 + n % 2,
    )
    for n in range(7)
]


@pytest.fixture(scope="module")
def model(tiny_llama: Callable[[int], LlamaForCausalLM]) -> LlamaForCausalLM:
    return tiny_llama(3)


def test_a_greedy_completion_is_the_models_own(
    model: LlamaForCausalLM, byte_tokenizer: PreTrainedTokenizerFast
) -> None:
    chat = LocalChat(model, byte_tokenizer)
    replies = list(chat.ask(QUESTIONS))

    ids = torch.tensor([render_prompt(byte_tokenizer, QUESTIONS[2].messages[0].content)])
    alone = model.generate(ids, max_new_tokens=7, do_sample=False, pad_token_id=0)
    new = alone[0, ids.shape[1] :].tolist()
    ended = new[-1] == byte_tokenizer.eos_token_id
    assert replies[2] == [
        Completion(answer_text(byte_tokenizer, new), ended, ids.shape[1], len(new))
    ]


def test_replies_do_not_depend_on_the_batch_or_on_other_questions(
    model: LlamaForCausalLM, byte_tokenizer: PreTrainedTokenizerFast
) -> None:
    together = list(LocalChat(model, byte_tokenizer, batch_size=8).ask(QUESTIONS))

    alone = LocalChat(model, byte_tokenizer, batch_size=1)

    assert together == [reply for one in QUESTIONS for reply in alone.ask([one])]
    assert [len(reply) for reply in together] == [question.samples for question in QUESTIONS]


def test_a_question_without_room_for_an_answer_fails_alone(
    model: LlamaForCausalLM, byte_tokenizer: PreTrainedTokenizerFast
) -> None:
    chat = LocalChat(model, byte_tokenizer)
    long = Question("long", (Message("user", "x" * 1100),), max_new_tokens=5)

    first, second = chat.ask([long, QUESTIONS[0]])

    assert isinstance(first[0], Failure)
    assert first[0].reason == "longer than the context"
    assert isinstance(second[0], Completion)


def test_what_was_asked_is_counted(
    model: LlamaForCausalLM, byte_tokenizer: PreTrainedTokenizerFast
) -> None:
    chat = LocalChat(model, byte_tokenizer)

    replies = [said for reply in chat.ask(QUESTIONS) for said in reply]

    said = [one for one in replies if isinstance(one, Completion)]
    assert chat.usage.requests == len(replies) == 10
    assert chat.usage.completion_tokens >= sum(one.completion_tokens for one in said)


def test_a_template_without_system_messages_gets_them_before_the_question(
    byte_tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{{ messages[0]['content'] }}"
    )
    monkeypatch.setattr(byte_tokenizer, "chat_template", template)
    messages = [Message("system", "Be brief."), Message("user", "Why?")]

    ids = render_messages(byte_tokenizer, messages)

    assert byte_tokenizer.decode(ids) == "Be brief.\n\nWhy?"


def test_a_model_without_a_template_reads_the_plain_text(
    byte_tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(byte_tokenizer, "chat_template", None)

    ids = render_messages(byte_tokenizer, [Message("user", "Why?"), Message("user", "How?")])

    assert byte_tokenizer.decode(ids) == "Why?\n\nHow?"
