"""What an endpoint does wrong costs one answer, has a name, and is tried again where that helps."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from judge_lightning.court.chat import Completion, Failure, Message, Question, Reply
from judge_lightning.court.chat.endpoint import EndpointChat
from judge_lightning.court.chat.journal import Journal
from judge_lightning.errors import UserError

KEY = "sk-secret-0123456789"
Open = Callable[..., EndpointChat]


def question(text: str, **options: Any) -> Question:
    return Question(f"q:{text}", (Message("user", text),), max_new_tokens=9, **options)


def ask(chat: EndpointChat, *texts: str, **options: Any) -> list[Reply]:
    return list(chat.ask([question(text, **options) for text in texts]))


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def chat(server: Any, pauses: list[float]) -> Open:
    def open_chat(**options: Any) -> EndpointChat:
        defaults = {"retries": 2, "timeout_seconds": 30.0, "pause": pauses.append}
        return EndpointChat("m", server.base_url, KEY, **defaults | options)

    return open_chat


def test_a_completion_carries_its_text_its_ending_and_its_tokens(chat: Open) -> None:
    replies = ask(chat(), "say 4", "cut")

    assert replies == [[Completion("4", True, 3, 2)], [Completion("so far", False, 3, 2)]]


def test_replies_come_in_the_questions_order(chat: Open) -> None:
    texts = [f"say {number}" for number in range(40)]

    replies = ask(chat(concurrency=4), *texts)

    assert [f"say {said.text}" for [said] in replies if isinstance(said, Completion)] == texts


def test_no_more_requests_are_under_way_than_allowed(chat: Open, server: Any) -> None:
    ask(chat(concurrency=3), *(f"say {number}" for number in range(30)))

    assert 1 <= server.most_at_once <= 3


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        ("500", "server error"),
        ("429", "rate limited"),
        ("page", "error page"),
        ("page 502", "error page"),
        ("garbage", "not JSON"),
        ("number", "not JSON"),
        ("abyss", "not JSON"),
        ("no choice", "no choice"),
        ("half", "broke off"),
        ("unended", "broke off"),
        ("504", "timed out"),
    ],
)
def test_what_may_pass_is_tried_again_and_then_named(
    chat: Open, server: Any, act: str, reason: str
) -> None:
    asking = chat()

    [[failure], [said]] = ask(asking, act, "say 4")

    assert isinstance(failure, Failure)
    assert failure.reason == reason
    assert isinstance(said, Completion)
    assert server.seen[act] == 3
    usage = asking.usage
    assert (usage.requests, usage.retries, usage.failures) == (4, 2, 1)


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        ("empty", "empty answer"),
        ("filter", "filtered"),
        ("400", "refused"),
        ("404", "not found"),
    ],
)
def test_what_would_come_out_the_same_is_asked_once(
    chat: Open, server: Any, act: str, reason: str
) -> None:
    [[failure]] = ask(chat(), act)

    assert isinstance(failure, Failure)
    assert failure.reason == reason
    assert server.seen[act] == 1


def test_silence_is_a_time_out(chat: Open, server: Any) -> None:
    [[failure]] = ask(chat(timeout_seconds=0.05, retries=1), "hang")

    assert failure == Failure("timed out", "no answer within 0.05 s")
    assert server.seen["hang"] == 2


def test_pauses_grow_and_heed_what_the_endpoint_asks_for(chat: Open, pauses: list[float]) -> None:
    ask(chat(retries=3), "500")
    first, second, third = pauses
    assert 0.375 <= first <= 0.625
    assert 0.75 <= second <= 1.25
    assert 1.5 <= third <= 2.5
    pauses.clear()

    ask(chat(retries=1), "429")

    assert pauses == [7.0]


def test_an_endpoint_that_recovers_has_failed_nobody(chat: Open) -> None:
    asking = chat()

    assert ask(asking, "500, page, say 4") == [[Completion("4", True, 3, 2)]]
    assert asking.usage.failures == 0


def test_cost_follows_from_prices_and_tokens(chat: Open) -> None:
    asking = chat(prompt_price=2.0, completion_price=10.0)

    ask(asking, "say 1", "say 2")

    assert (asking.usage.prompt_tokens, asking.usage.completion_tokens) == (6, 4)
    assert asking.usage.cost == pytest.approx((6 * 2 + 4 * 10) / 1e6)


def test_samples_are_requests_with_seeds_of_their_own(chat: Open, server: Any) -> None:
    [said] = ask(chat(), "say 4", samples=3, temperature=0.7)

    assert len(said) == 3
    assert len({asked["seed"] for asked in server.requests}) == 3
    assert {asked["temperature"] for asked in server.requests} == {0.7}


def test_a_greedy_question_sends_no_seed(chat: Open, server: Any) -> None:
    ask(chat(), "say 4")

    assert "seed" not in server.requests[0]


def test_the_other_name_of_the_limit_is_learnt(chat: Open, server: Any) -> None:
    [[said]] = ask(chat(), "wants another limit")

    assert isinstance(said, Completion)
    assert server.requests[-1]["max_completion_tokens"] == 9


def test_a_dead_endpoint_is_given_up(chat: Open, server: Any) -> None:
    asking = chat(retries=0, give_up_after=5, concurrency=1)

    with pytest.raises(UserError, match="5 questions in a row got no answer") as error:
        ask(asking, *["500"] * 100)

    assert "server error" in error.value.problem
    assert server.seen["500"] < 20


def test_a_refused_key_ends_the_asking(chat: Open, server: Any) -> None:
    with pytest.raises(UserError, match="refuses the key") as error:
        ask(chat(name="mine.drafters.x.endpoint"), "401", "say 4")

    assert error.value.field == "mine.drafters.x.endpoint.api_key_env"


def test_the_key_is_sent_and_shows_up_nowhere_else(
    chat: Open, server: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    journal = tmp_path / "journal.jsonl"

    [[failure], [said]] = ask(chat(journal=Journal(journal)), "echo the key", f"say {KEY}")

    assert set(server.keys) == {f"Bearer {KEY}"}
    assert isinstance(failure, Failure)
    assert "[key]" in failure.detail
    assert isinstance(said, Completion)
    for text in (failure.detail, said.text, journal.read_text(), caplog.text):
        assert KEY not in text


def test_what_was_answered_is_not_asked_again(chat: Open, server: Any, tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    prices = {"prompt_price": 1.0, "completion_price": 1.0}
    before = chat(journal=Journal(journal), retries=0, **prices)
    ask(before, "say 1", "500, say 2", "say 3")
    server.requests.clear()

    again = chat(journal=Journal(journal), **prices)
    replies = ask(again, "say 1", "500, say 2", "say 3")

    assert [said.text for [said] in replies if isinstance(said, Completion)] == ["1", "2", "3"]
    assert len(server.requests) == 1
    assert again.usage.prompt_tokens == 9
    assert again.usage.cost == pytest.approx(15 / 1e6)


def test_a_line_cut_short_by_a_kill_is_asked_again(chat: Open, server: Any, tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    ask(chat(journal=Journal(journal)), "say 1", "say 2")
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-9])

    replies = ask(chat(journal=Journal(journal)), "say 1", "say 2")

    assert len(replies) == 2
    assert len(server.requests) == 3
    assert len(journal.read_text().splitlines()) == 2
    assert all(json.loads(line) for line in journal.read_text().splitlines())


def test_another_question_is_not_answered_from_the_journal(
    chat: Open, server: Any, tmp_path: Path
) -> None:
    asking = chat(journal=Journal(tmp_path / "journal.jsonl"))
    ask(asking, "say 1")
    ask(asking, "say 1", temperature=0.5)
    ask(asking, "say 1", temperature=0.5, samples=2)

    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [200, 404, 500])
def test_an_endpoint_that_answers_anything_is_there(chat: Open, server: Any, status: int) -> None:
    server.lists_models = status

    chat().look()


def test_looking_finds_a_refused_key(chat: Open, server: Any) -> None:
    server.lists_models = 401

    with pytest.raises(UserError, match="refuses the key"):
        chat().look()


def test_looking_finds_that_nobody_is_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    chat = EndpointChat("m", f"http://127.0.0.1:{port}/v1", name="annotate.chat")

    with pytest.raises(UserError, match="does not answer") as error:
        chat.look()

    assert error.value.field == "annotate.chat.base_url"
    assert isinstance(error.value.__cause__, type(None))


def test_nobody_there_is_no_connection() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    chat = EndpointChat("m", f"http://127.0.0.1:{port}/v1", retries=0)

    [[failure]] = ask(chat, "say 4")

    assert isinstance(failure, Failure)
    assert failure.reason == "no connection"
