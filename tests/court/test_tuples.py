"""Tuples join a clean right answer and a wrong one to the same prompt."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedTokenizerFast

from judge_lightning.court.annotators import Case, Finding, load_annotator
from judge_lightning.court.dataset.statistics import DatasetStatistics
from judge_lightning.court.records import Answer, Prompt
from judge_lightning.court.tuples import Court, count_tuples, label_court

PROMPT = Prompt("p", "What is 2 + 3?", "5", "sums", "train", {"checker": "final_number"})


def answer(tokenizer: PreTrainedTokenizerFast, author: str, text: str, right: bool) -> Answer:
    ids = [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    return Answer("p", author, 0, text, ids, finished=True, right=right)


def court(tokenizer: PreTrainedTokenizerFast, *answers: Answer, check_right: bool = True) -> Court:
    return label_court(
        [PROMPT], {"p": answers}, load_annotator("calculator"), tokenizer, check_right=check_right
    )


def test_a_wrong_answer_is_joined_to_a_right_one(byte_tokenizer: PreTrainedTokenizerFast) -> None:
    right = answer(byte_tokenizer, "target", "2 + 3 = 5", right=True)
    wrong = answer(byte_tokenizer, "draft", "2 + 3 = 6.", right=False)

    (labelled,) = court(byte_tokenizer, right, wrong).tuples

    assert labelled.correct_labels == [1] * len(right.token_ids)
    assert labelled.mistake_tokens == (8, 9)
    assert labelled.wrong_labels == [1] * 8 + [0] + [-100] * 2
    assert labelled.drafter == "draft"


def test_a_drafters_right_answer_is_preferred_to_the_targets(
    byte_tokenizer: PreTrainedTokenizerFast,
) -> None:
    (labelled,) = court(
        byte_tokenizer,
        answer(byte_tokenizer, "target", "2 + 3 = 5", right=True),
        answer(byte_tokenizer, "draft", "It is 5", right=True),
        answer(byte_tokenizer, "draft", "2 + 3 = 6", right=False),
    ).tuples

    assert labelled.correct_text == "It is 5"


def test_a_lucky_right_answer_is_no_example_of_correct_tokens(
    byte_tokenizer: PreTrainedTokenizerFast,
) -> None:
    result = court(
        byte_tokenizer,
        answer(byte_tokenizer, "draft", "2 + 3 = 7, so it is 5", right=True),
        answer(byte_tokenizer, "draft", "2 + 3 = 6", right=False),
    )

    assert not result.tuples
    assert result.left_out == {"right answers all hold a mistake": 1}


def test_a_wrong_answer_without_a_found_mistake_is_left_out_and_counted(
    byte_tokenizer: PreTrainedTokenizerFast,
) -> None:
    result = court(
        byte_tokenizer,
        answer(byte_tokenizer, "target", "2 + 3 = 5", right=True),
        answer(byte_tokenizer, "draft", "perhaps 6", right=False),
    )

    assert result.left_out == {"no equation": 1}


def test_repeated_wrong_answers_count_once(byte_tokenizer: PreTrainedTokenizerFast) -> None:
    answers = [
        answer(byte_tokenizer, "target", "5", right=True),
        answer(byte_tokenizer, "draft", "6", right=False),
        answer(byte_tokenizer, "draft", "6", right=False),
        answer(byte_tokenizer, "draft", "7", right=False),
    ]

    assert count_tuples({"p": answers}) == 2


def test_right_answers_may_go_unchecked(byte_tokenizer: PreTrainedTokenizerFast) -> None:
    result = court(
        byte_tokenizer,
        answer(byte_tokenizer, "draft", "2 + 3 = 7, so it is 5", right=True),
        answer(byte_tokenizer, "draft", "2 + 3 = 6", right=False),
        check_right=False,
    )

    assert len(result.tuples) == 1
    assert result.answers == 1


def test_an_answer_that_the_annotator_fails_at_is_set_aside(
    byte_tokenizer: PreTrainedTokenizerFast,
) -> None:
    plain = load_annotator("calculator")

    def touchy(cases: Sequence[Case]) -> list[Finding]:
        if any("7" in case.answer.text for case in cases):
            raise ZeroDivisionError("seven")
        return plain(cases)

    answers = [
        answer(byte_tokenizer, "target", "2 + 3 = 5", right=True),
        answer(byte_tokenizer, "draft", "2 + 3 = 6", right=False),
        answer(byte_tokenizer, "draft", "2 + 3 = 7", right=False),
    ]

    result = label_court([PROMPT], {"p": answers}, touchy, byte_tokenizer)

    assert [one.wrong_text for one in result.tuples] == ["2 + 3 = 6"]
    (rejected,) = result.rejected
    assert rejected.reason == "annotator failed"
    assert rejected.detail == "ZeroDivisionError: seven"
    assert rejected.record == "2 + 3 = 7"


def test_statistics_say_how_many_tokens_are_mistakes(
    byte_tokenizer: PreTrainedTokenizerFast,
) -> None:
    counted = DatasetStatistics()
    (labelled,) = court(
        byte_tokenizer,
        answer(byte_tokenizer, "target", "2 + 3 = 5", right=True),
        answer(byte_tokenizer, "draft", "2 + 3 = 6.", right=False),
    ).tuples
    counted.add(labelled)
    statistics = counted.as_json()

    assert statistics["tokens"] == 10 + 9
    assert statistics["mistake_tokens"] == 1
    assert statistics["first_mistake_median"] == 8
    assert statistics["first_mistake_deciles"] == [0, 0, 0, 0, 0, 0, 0, 1, 0, 0]
