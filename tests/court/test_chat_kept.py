"""What a local model said is kept as it arrives, and never asked for twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from judge_lightning.court.chat import Completion, Failure, Message, Question, Reply, Usage
from judge_lightning.court.chat.journal import Journal
from judge_lightning.court.chat.kept import KeptChat


class Echo:
    """Says what it was asked; ``fails`` names messages without an answer, ``dies`` ends it all."""

    def __init__(self, fails: str = "", dies: str = "") -> None:
        self.usage = Usage()
        self.asked: list[str] = []
        self.fails, self.dies = fails, dies

    def ask(self, questions: Sequence[Question]) -> Iterator[Reply]:
        for question in questions:
            text = question.messages[-1].content
            if text == self.dies:
                raise KeyboardInterrupt
            self.asked.append(text)
            self.usage.requests += 1
            self.usage.prompt_tokens += 3
            failure = Failure("empty answer", "0 tokens")
            yield [failure if text == self.fails else Completion(text, True, 3, 1)]


def questions(*texts: str) -> list[Question]:
    return [Question(f"q:{text}", (Message("user", text),), 9) for text in texts]


def test_replies_come_in_order_whatever_was_kept(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    list(KeptChat(Echo(), Journal(journal), "m", 2).ask(questions("b", "d")))
    echo = Echo()
    chat = KeptChat(echo, Journal(journal), "m", 2)
    replies = list(chat.ask(questions("a", "b", "c", "d", "e")))
    assert [said.text for [said] in replies if isinstance(said, Completion)] == list("abcde")
    assert echo.asked == ["a", "c", "e"]
    assert (chat.usage.requests, chat.usage.prompt_tokens) == (5, 15)


def test_a_kill_costs_no_more_than_a_window(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    with pytest.raises(KeyboardInterrupt):
        list(KeptChat(Echo(dies="d"), Journal(journal), "m", 2).ask(questions(*"abcde")))
    echo = Echo()
    list(KeptChat(echo, Journal(journal), "m", 2).ask(questions(*"abcde")))
    assert echo.asked == ["c", "d", "e"]


def test_a_failure_is_not_kept(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    list(KeptChat(Echo(fails="a"), Journal(journal), "m", 2).ask(questions("a", "b")))
    echo = Echo()
    list(KeptChat(echo, Journal(journal), "m", 2).ask(questions("a", "b")))
    assert echo.asked == ["a"]


def test_another_model_is_asked_itself(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    list(KeptChat(Echo(), Journal(journal), "m", 2).ask(questions("a")))
    echo = Echo()
    list(KeptChat(echo, Journal(journal), "other", 2).ask(questions("a")))
    assert echo.asked == ["a"]
