"""The thread that makes W&B's calls: in order, whatever fails, and never longer than allowed."""

from __future__ import annotations

import sys
from threading import Event

from pipelines.wandb_run.courier import Courier


def refuse() -> None:
    raise ConnectionError("nobody there")


def test_calls_are_made_in_order_and_the_last_one_at_the_end() -> None:
    made: list[int] = []
    courier = Courier(made.append)
    for number in range(3):
        courier.send(lambda number=number: made.append(number))
    assert courier.close(10, lambda: made.append(3))
    assert made == [0, 1, 2, 3]


def test_a_call_that_fails_is_told_once_and_the_others_are_made() -> None:
    made: list[str] = []
    failures: list[BaseException] = []
    courier = Courier(failures.append)
    for call in (refuse, lambda: made.append("between"), refuse):
        courier.send(call)
    assert courier.close(10, lambda: made.append("last"))
    assert made == ["between", "last"]
    assert [str(failure) for failure in failures] == ["nobody there"]


def test_a_call_that_leaves_the_interpreter_is_one_that_fails() -> None:
    made: list[str] = []
    failures: list[BaseException] = []
    courier = Courier(failures.append)
    courier.send(lambda: sys.exit(-9))
    assert courier.close(10, lambda: made.append("last"))
    assert made == ["last"]
    assert len(failures) == 1


def test_a_call_that_hangs_holds_up_neither_the_sender_nor_the_end() -> None:
    hanging = Event()
    courier = Courier(lambda error: None)
    courier.send(hanging.wait)
    assert not courier.close(0)
    hanging.set()


def test_calls_behind_one_that_was_given_up_are_not_made() -> None:
    made: list[str] = []
    hanging, last = Event(), lambda: made.append("last")
    courier = Courier(lambda error: None)
    courier.send(hanging.wait)
    courier.send(lambda: made.append("behind"))
    assert not courier.close(0, last)
    assert courier.abandoned
    hanging.set()
    courier._thread.join(10)
    assert made == []
