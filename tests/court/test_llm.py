"""A prompted model's reply counts only as far as it can be held against the text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from judge_lightning.court.annotators import Case, Finding, Tools, check_annotator, load_annotator
from judge_lightning.court.chat import Completion, Failure, Question, Reply, Usage
from judge_lightning.court.records import Answer, Prompt
from judge_lightning.errors import UserError

PROMPT = Prompt("p7", "Ben has 16 eggs and eats 3.", "16 - 3 = 13", "eggs", "train")
TEXT = "He has 16 eggs.\n16 - 3 = 12.\nSo 12 eggs are left."


class Scripted:
    """A chat that replies what it was told, and keeps what it was asked."""

    def __init__(self, *replies: str | Failure) -> None:
        self.replies = replies
        self.asked: list[Question] = []
        self.usage = Usage()

    def ask(self, questions: Sequence[Question]) -> Iterator[Reply]:
        self.asked += questions
        for _ in questions:
            yield [
                reply if isinstance(reply, Failure) else Completion(reply, True, 1, 1)
                for reply in self.replies
            ]


@pytest.fixture
def annotate(byte_tokenizer: PreTrainedTokenizerFast) -> Any:
    def call(chat: Scripted, **options: Any) -> Finding:
        def absent() -> Any:
            raise AssertionError("not needed")

        tools = Tools(
            tokenizer=byte_tokenizer,
            check=lambda prompt, text: False,
            load_target=absent,
            load_chat=lambda: chat,
            options=options,
        )
        answer = Answer("p7", "draft", 0, TEXT, [1], finished=True, right=False)
        (finding,) = load_annotator("llm", tools)([Case(PROMPT, answer)])
        return finding

    return call


def test_the_quote_in_the_named_step_is_the_mistake(annotate: Any) -> None:
    finding = annotate(Scripted('{"step": 3, "quote": "12 eggs"}'))

    assert finding.mistake is not None
    assert (finding.mistake.start, finding.mistake.end) == (32, 39)
    assert TEXT[32:39] == "12 eggs"
    assert finding.generations == 1
    assert "step 3" in finding.mistake.evidence


def test_the_model_sees_question_reference_and_numbered_steps(annotate: Any) -> None:
    chat = Scripted('{"step": 0, "quote": ""}')
    annotate(chat)

    (question,) = chat.asked
    assert "p7" in question.id
    said = question.messages[-1].content
    assert PROMPT.text in said
    assert PROMPT.reference in said
    assert "2. 16 - 3 = 12." in said


def test_step_zero_says_that_nothing_is_wrong(annotate: Any) -> None:
    assert annotate(Scripted('{"step": 0, "quote": ""}')) == Finding(None, True, 1)


def test_words_around_the_object_are_passed_over(annotate: Any) -> None:
    reply = 'Let me {see}.\n```json\n{"step": 2, "quote": "12"}\n``` That is it.'
    finding = annotate(Scripted(reply))

    assert TEXT[finding.mistake.start : finding.mistake.end] == "12"


@pytest.mark.parametrize(
    ("reply", "note"),
    [
        ("", "reply is not JSON"),
        ("the second step", "reply is not JSON"),
        ('{"step": 2, "quo', "reply is not JSON"),
        ('{"step": 9, "quote": "12"}', "reply names no step"),
        ('{"step": -1, "quote": "12"}', "reply names no step"),
        ('{"step": "two", "quote": "12"}', "reply names no step"),
        ('{"step": true, "quote": "12"}', "reply names no step"),
        ('{"step": 1, "quote": "12"}', "reply quotes what is not there"),
        ('{"step": 2, "quote": "99"}', "reply quotes what is not there"),
        ('{"step": 2, "quote": ""}', "reply quotes what is not there"),
        ('{"step": 2, "quote": 12}', "reply quotes what is not there"),
        ('{"step": 2}', "reply quotes what is not there"),
    ],
)
def test_a_reply_that_the_text_does_not_bear_out_decides_nothing(
    annotate: Any, reply: str, note: str
) -> None:
    assert annotate(Scripted(reply)) == Finding(None, False, 1, note)


def test_a_question_without_a_reply_is_undecided_for_its_reason(annotate: Any) -> None:
    failed = Failure("timed out", "after 3 tries")
    assert annotate(Scripted(failed)) == Finding(None, False, 1, "timed out")


def test_of_several_replies_the_place_with_most_votes_counts(annotate: Any) -> None:
    chat = Scripted(
        '{"step": 3, "quote": "12 eggs"}',
        '{"step": 2, "quote": "12"}',
        "no idea",
        '{"step": 2, "quote": "12."}',
    )
    finding = annotate(chat, votes=4, temperature=0.7)

    assert finding.mistake.start == 25
    assert finding.mistake.confidence == 0.5
    assert "2 of 4" in finding.mistake.evidence
    assert chat.asked[0].samples == 4
    assert chat.asked[0].temperature == 0.7


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"votes": 3}, "votes"),
        ({"votes": 0}, "votes"),
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"confidence": 2.0}, "confidence"),
        ({"temperature": "hot"}, "temperature"),
        ({"model": "x"}, "model"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_asked(
    options: dict[str, Any], field: str
) -> None:
    with pytest.raises(UserError, match=f"annotate.options.{field}"):
        check_annotator("llm", options)
