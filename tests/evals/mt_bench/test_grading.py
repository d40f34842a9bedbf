"""Verdicts count where they hold in both orders; what has none is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from evals.mt_bench.answers import TOO_LONG, Answer
from evals.mt_bench.grading import NO_GRADE, Grader, compare_answers, grade_answers
from evals.mt_bench.questions import BenchQuestion
from judge_lightning.court.chat import Completion, Failure, Message, Question, Reply, Usage

QUESTION = BenchQuestion("81", "writing", ("A poem?", "Shorter?"))
Script = Callable[[tuple[Message, ...]], str | Failure]


class Scripted:
    """A chat that replies by a function of the conversation, and keeps what it was asked."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[Question] = []
        self.usage = Usage()

    def ask(self, questions: Sequence[Question]) -> Iterator[Reply]:
        for question in questions:
            self.asked.append(question)
            said = self.script(question.messages)
            yield [said if isinstance(said, Failure) else Completion(said, True, 1, 1)]


def answers_of(problem: str = "", **texts: tuple[str, str]) -> list[Answer]:
    return [
        Answer("81", "writing", decoder, turn, "" if problem else text, 5, [1], True, None, problem)
        for decoder, both in texts.items()
        for turn, text in enumerate(both, start=1)
    ]


DIFFERENT = answers_of(target=("Roses.", "Rose."), judge=("Tulips.", "Tulip."))


def test_an_answer_gets_the_grade_in_the_reply() -> None:
    chat = Scripted(lambda messages: "[[9]]" if "Tulips" in messages[1].content else "[[4]]")
    grades = grade_answers(Grader(chat, 50, 0), [QUESTION], DIFFERENT)
    assert [(row.decoder, row.turn, row.score) for row in grades] == [
        ("target", 1, 4.0),
        ("target", 2, 4.0),
        ("judge", 1, 9.0),
        ("judge", 2, 9.0),
    ]
    assert {question.max_new_tokens for question in chat.asked} == {50}
    assert {question.temperature for question in chat.asked} == {0.0}


def test_the_same_conversation_is_graded_once() -> None:
    answers = answers_of(target=("Roses.", "Rose."), exact=("Roses.", "Rose."))
    chat = Scripted(lambda messages: "[[4]]")
    grades = grade_answers(Grader(chat, 50, 0), [QUESTION], answers)
    assert len(chat.asked) == 2
    assert [row.score for row in grades] == [4.0] * 4


def test_the_same_second_answer_behind_another_first_one_is_another_conversation() -> None:
    answers = answers_of(target=("Roses.", "Rose."), judge=("Tulips.", "Rose."))
    chat = Scripted(lambda messages: "[[4]]")
    grade_answers(Grader(chat, 50, 0), [QUESTION], answers)
    assert len(chat.asked) == 4


def test_a_reply_without_a_grade_is_answered_with_a_reminder() -> None:
    chat = Scripted(lambda messages: "[[4]]" if len(messages) > 2 else "Fine.")
    grades = grade_answers(Grader(chat, 50, 2), [QUESTION], DIFFERENT)
    assert [row.score for row in grades] == [4.0] * 4
    assert len(chat.asked) == 8
    assert [message.role for message in chat.asked[-1].messages[2:]] == ["assistant", "user"]
    assert chat.asked[-1].messages[2].content == "Fine."


def test_an_answer_that_never_gets_a_grade_is_ungraded_not_zero() -> None:
    chat = Scripted(lambda messages: "Fine.")
    grades = grade_answers(Grader(chat, 50, 2), [QUESTION], DIFFERENT)
    assert {(row.score, row.reason, row.reply) for row in grades} == {(None, NO_GRADE, "Fine.")}
    assert len(chat.asked) == 3 * 4


def test_a_question_that_fails_is_named_by_its_reason_and_not_reminded() -> None:
    chat = Scripted(lambda messages: Failure("timed out", "no answer within 1 s"))
    grades = grade_answers(Grader(chat, 50, 2), [QUESTION], DIFFERENT)
    assert {(row.score, row.reason) for row in grades} == {(None, "timed out")}
    assert len(chat.asked) == 4


def test_what_was_left_out_is_not_asked_about() -> None:
    chat = Scripted(lambda messages: "[[4]]")
    left_out = answers_of(TOO_LONG, judge=("", ""))
    answers = [*answers_of(target=("Roses.", "Rose.")), *left_out]
    grades = grade_answers(Grader(chat, 50, 0), [QUESTION], answers)
    assert [(row.score, row.reason) for row in grades[2:]] == [(None, TOO_LONG)] * 2
    chat.asked.clear()
    matches = compare_answers(Grader(chat, 50, 0), [QUESTION], answers)
    assert [(row.outcome, row.reason) for row in matches] == [(None, TOO_LONG)] * 2
    assert chat.asked == []


def is_shown_first(messages: tuple[Message, ...], text: str) -> bool:
    shown = messages[1].content
    return shown.index(text) < shown.index("Assistant B, turn 1")


@pytest.mark.parametrize(
    ("target_first", "target_second", "outcome", "verdicts"),
    [
        ("B", "A", "win", ["judge", "judge"]),
        ("A", "B", "loss", ["target", "target"]),
        ("C", "C", "tie", ["tie", "tie"]),
        ("A", "A", "tie", ["target", "judge"]),  # Always the first one.
        ("B", "B", "tie", ["judge", "target"]),
        ("B", "C", "tie", ["judge", "tie"]),
        ("A", "C", "tie", ["target", "tie"]),
    ],
)
def test_only_what_both_orders_say_counts(
    target_first: str, target_second: str, outcome: str, verdicts: list[str]
) -> None:
    def script(messages: tuple[Message, ...]) -> str:
        return f"[[{target_first if is_shown_first(messages, 'Roses.') else target_second}]]"

    chat = Scripted(script)
    matches = compare_answers(Grader(chat, 50, 0), [QUESTION], DIFFERENT)
    assert len(chat.asked) == 4
    assert [(row.decoder, row.turn) for row in matches] == [("judge", 1), ("judge", 2)]
    assert matches[0].outcome == outcome
    assert matches[0].verdicts == verdicts
    assert matches[0].disagreed == (verdicts[0] != verdicts[1])


def test_identical_answers_are_a_tie_without_a_question() -> None:
    chat = Scripted(lambda messages: "[[A]]")
    answers = answers_of(target=("Roses.", "Rose."), exact=("Roses.", "Rose."))
    matches = compare_answers(Grader(chat, 50, 0), [QUESTION], answers)
    assert chat.asked == []
    assert [(row.outcome, row.identical, row.disagreed) for row in matches] == [
        ("tie", True, False)
    ] * 2


def test_one_missing_verdict_leaves_the_pair_undecided() -> None:
    def script(messages: tuple[Message, ...]) -> str:
        return "[[A]]" if is_shown_first(messages, "Roses.") else "Hm."

    matches = compare_answers(Grader(Scripted(script), 50, 1), [QUESTION], DIFFERENT[:4:2])
    assert [(row.outcome, row.verdicts, row.reason) for row in matches] == [
        (None, ["target", None], NO_GRADE)
    ]
