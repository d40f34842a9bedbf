"""Grading: every answer by itself, and every decoder's against the target's, in both orders.

Conversations that are the same letter by letter are graded once, and are a tie without being
asked about: greedy standard decoding costs nothing to grade.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from evals.mt_bench.answers import Answer
from evals.mt_bench.prompts import (
    FIRST,
    NEITHER,
    PAIR_REMINDER,
    SECOND,
    SINGLE_REMINDER,
    ask_for_preference,
    ask_for_score,
    read_preference,
    read_score,
)
from evals.mt_bench.questions import TURNS, BenchQuestion
from judge_lightning.court.chat import Chat, Completion, Message, Question, Reply

SINGLE, PAIRWISE = "single", "pairwise"
GRADINGS = (SINGLE, PAIRWISE)
NO_GRADE = "no grade in the reply"
REFERENCE_DECODER = "target"
WIN, TIE, LOSS = "win", "tie", "loss"

V = TypeVar("V", float, str)
Watch = Callable[[Iterator[Reply], int], Iterator[Reply]]
"""Shows how many of so many replies have come."""


@dataclass(frozen=True)
class Grade:
    """What an answer got: 1 to 10, or None and the reason."""

    question: str
    category: str
    decoder: str
    turn: int
    score: float | None
    reason: str = ""
    reply: str = ""


@dataclass(frozen=True)
class Match:
    """How an answer did against the target's: ``win``, ``tie``, ``loss``, or None and the reason.

    ``verdicts`` are who was preferred when the target's was shown first, and when it was shown
    second: the decoder's name, ``target`` or ``tie``. Only what both say counts; else it is a tie.
    ``identical``: the same letter by letter, and so a tie that nobody was asked about.
    """

    question: str
    category: str
    decoder: str
    turn: int
    outcome: str | None
    verdicts: list[str | None]
    identical: bool = False
    reason: str = ""
    replies: list[str] | None = None

    @property
    def disagreed(self) -> bool:
        """Whether the verdict depends on who is shown first."""
        return self.outcome is not None and not self.identical and len(set(self.verdicts)) > 1


@dataclass(frozen=True)
class Verdict(Generic[V]):
    """A reply's verdict, or why there is none; ``reply`` is the last one."""

    value: V | None
    reason: str
    reply: str


@dataclass(frozen=True)
class Grader:
    """A model that is asked for verdicts.

    Attributes:
        max_new_tokens: Of one reply.
        ask_again: How often a reply without a verdict is answered with a reminder.
    """

    chat: Chat
    max_new_tokens: int
    ask_again: int
    watch: Watch = lambda replies, total: replies

    def ask(
        self,
        asked: Mapping[str, tuple[Message, ...]],
        read: Callable[[str], V | None],
        reminder: str,
    ) -> dict[str, Verdict[V]]:
        """The verdict about each of ``asked``, by its key.

        Raises:
            UserError: The endpoint is down or refuses; what was answered is in its journal.
        """
        questions = {
            key: Question(f"mt_bench:{key}", messages, self.max_new_tokens)
            for key, messages in asked.items()
        }
        verdicts: dict[str, Verdict[V]] = {}
        for attempt in range(self.ask_again + 1):
            if not questions:
                break
            replies = self.watch(self.chat.ask(list(questions.values())), len(questions))
            again: dict[str, Question] = {}
            for (key, question), reply in zip(questions.items(), replies, strict=True):
                verdicts[key] = _verdict(reply, read)
                if verdicts[key].reason == NO_GRADE and attempt < self.ask_again:
                    again[key] = _reminded(question, verdicts[key].reply, reminder)
            questions = again
        return verdicts


def grade_answers(
    grader: Grader, questions: Sequence[BenchQuestion], answers: Sequence[Answer]
) -> list[Grade]:
    """A grade for every answer, in their order.

    Raises:
        UserError: As ``Grader.ask``.
    """
    talks = _Talks(questions, answers)
    asked = {
        talks.key(row): ask_for_score(talks.questions[row.question], talks.up_to(row))
        for row in answers
        if not row.problem
    }
    verdicts = grader.ask(asked, read_score, SINGLE_REMINDER)
    grades = []
    for row in answers:
        verdict = verdicts[talks.key(row)] if not row.problem else Verdict(None, row.problem, "")
        grades.append(
            Grade(
                row.question,
                row.category,
                row.decoder,
                row.turn,
                verdict.value,
                verdict.reason,
                verdict.reply,
            )
        )
    return grades


def compare_answers(
    grader: Grader, questions: Sequence[BenchQuestion], answers: Sequence[Answer]
) -> list[Match]:
    """Every answer against the target's to the same turn, asked in both orders.

    Raises:
        UserError: As ``Grader.ask``.
    """
    talks = _Talks(questions, answers)
    others = [row for row in answers if row.decoder != REFERENCE_DECODER]
    asked: dict[str, tuple[Message, ...]] = {}
    for row in others:
        target = talks.targets_answer(row)
        if not row.problem and not target.problem and not talks.same(row, target):
            question = talks.questions[row.question]
            one, two = talks.up_to(target), talks.up_to(row)
            asked[talks.pair_key(target, row)] = ask_for_preference(question, one, two)
            asked[talks.pair_key(row, target)] = ask_for_preference(question, two, one)
    verdicts = grader.ask(asked, read_preference, PAIR_REMINDER)
    return [_match(talks, row, verdicts) for row in others]


class _Talks:
    """The conversations, by question and decoder."""

    def __init__(self, questions: Sequence[BenchQuestion], answers: Sequence[Answer]) -> None:
        self.questions = {question.id: question for question in questions}
        self._rows = {(row.question, row.decoder, row.turn): row for row in answers}

    def up_to(self, row: Answer) -> list[str]:
        """What the decoder has said, this answer included."""
        return [
            self._rows[row.question, row.decoder, turn].text
            for turn in range(1, TURNS + 1)
            if turn <= row.turn
        ]

    def targets_answer(self, row: Answer) -> Answer:
        return self._rows[row.question, REFERENCE_DECODER, row.turn]

    def same(self, one: Answer, other: Answer) -> bool:
        return self.up_to(one) == self.up_to(other)

    def key(self, row: Answer) -> str:
        """The same for conversations that are the same."""
        digest = hashlib.sha256("\0".join(self.up_to(row)).encode()).hexdigest()
        return f"{row.question}:{row.turn}:{digest[:16]}"

    def pair_key(self, first: Answer, second: Answer) -> str:
        return f"{self.key(first)}:{self.key(second)}"


def _match(talks: _Talks, row: Answer, verdicts: Mapping[str, Verdict[str]]) -> Match:
    target = talks.targets_answer(row)
    identity = (row.question, row.category, row.decoder, row.turn)
    problem = row.problem or target.problem
    if problem:
        return Match(*identity, None, [None, None], reason=problem)
    if talks.same(row, target):
        return Match(*identity, TIE, [TIE, TIE], identical=True)
    shown_second = verdicts[talks.pair_key(target, row)]
    shown_first = verdicts[talks.pair_key(row, target)]
    preferred = [
        _preferred(shown_second.value, REFERENCE_DECODER, row.decoder),
        _preferred(shown_first.value, row.decoder, REFERENCE_DECODER),
    ]
    outcome: str | None = TIE
    if None in preferred:
        outcome = None
    elif preferred == [row.decoder] * 2:
        outcome = WIN
    elif preferred == [REFERENCE_DECODER] * 2:
        outcome = LOSS
    return Match(
        *identity,
        outcome,
        preferred,
        reason=shown_second.reason or shown_first.reason,
        replies=[shown_second.reply, shown_first.reply],
    )


def _preferred(verdict: str | None, first: str, second: str) -> str | None:
    return None if verdict is None else {FIRST: first, SECOND: second, NEITHER: TIE}[verdict]


def _verdict(reply: Reply, read: Callable[[str], V | None]) -> Verdict[V]:
    said = reply[0]
    if not isinstance(said, Completion):
        return Verdict(None, said.reason, "")
    value = read(said.text)
    return Verdict(value, "" if value is not None else NO_GRADE, said.text)


def _reminded(question: Question, said: str, reminder: str) -> Question:
    messages = (*question.messages, Message("assistant", said), Message("user", reminder))
    return replace(question, messages=messages)
