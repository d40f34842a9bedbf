"""Decoding processes share the machine."""

from __future__ import annotations

import pytest

from evals.workers import cpu_cores, cpu_threads, worker_devices


def test_without_gpus_there_is_one_process_per_core() -> None:
    assert worker_devices(0, []) == [None] * cpu_cores()


def test_a_number_of_processes_can_be_asked_for() -> None:
    assert worker_devices(3, []) == [None, None, None]


def test_two_gpus_make_one_process() -> None:
    assert worker_devices(0, ["0", "1", "2", "3"]) == ["0,1", "2,3"]


def test_one_process_sees_all_gpus() -> None:
    assert worker_devices(1, ["0", "1"]) == [None]


def test_there_are_no_more_processes_than_gpus() -> None:
    assert worker_devices(8, ["4", "7"]) == ["4", "7"]


def test_processes_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert cpu_threads(1) == cpu_cores()
    assert cpu_threads(10 * cpu_cores()) == 1


def test_a_process_takes_no_more_threads_than_the_user_allows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("evals.workers.cpu_cores", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert [cpu_threads(workers) for workers in (1, 2, 4, 8)] == [3, 3, 2, 1]
