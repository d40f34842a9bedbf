from __future__ import annotations

import pytest

from judge_lightning.errors import UserError
from judge_lightning.models.machine import GIB, Machine, parse_machine, this_machine


@pytest.mark.parametrize(
    ("text", "memory"),
    [
        ("8 x 80 GiB", (80 * GIB,) * 8),
        ("2x24GB", (24 * 10**9,) * 2),
        ("4 × 141.5 gib", (round(141.5 * GIB),) * 4),
        ("1 TiB", (1024 * GIB,)),
        (" 512 MB ", (512 * 10**6,)),
    ],
)
def test_a_description_is_read(text: str, memory: tuple[int, ...]) -> None:
    assert parse_machine(text) == Machine(memory, is_gpu=True)


@pytest.mark.parametrize("text", ["", "8", "8 x 80", "eight x 80 GiB", "80 GiB x 8", "8 x 80 KB"])
def test_what_describes_no_machine_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(
        UserError, match=r'describes no machine; write it like "8 x 80 GiB"'
    ) as error:
        parse_machine(text)
    assert error.value.field == "launch.machine"


@pytest.mark.parametrize("text", ["0 x 80 GiB", "8 x 0 GiB"])
def test_a_machine_without_memory_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="has no memory"):
        parse_machine(text)


def test_the_host_has_one_memory() -> None:
    assert parse_machine("64 GiB", is_gpu=False).names == ["RAM"]
    with pytest.raises(UserError, match=r"has 2 devices, but engine\.device=cpu has one memory"):
        parse_machine("2 x 64 GiB", is_gpu=False)


@pytest.mark.parametrize(
    ("machine", "text"),
    [
        (Machine((80 * GIB,) * 8, is_gpu=True), "8 x 80 GiB"),
        (Machine((80 * GIB, 24 * GIB), is_gpu=True), "80 GiB + 24 GiB"),
        (Machine((24 * GIB,), is_gpu=False), "24 GiB of RAM"),
    ],
)
def test_a_machine_describes_itself(machine: Machine, text: str) -> None:
    assert machine.describe() == text


def test_this_machine_without_gpus_is_its_memory_within_the_containers_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    everything = this_machine("cpu")
    assert not everything.is_gpu
    assert everything.memory[0] > GIB // 4
    monkeypatch.setattr("pathlib.Path.read_text", lambda *_, **__: "1000000\n")
    assert this_machine("cpu").memory == (1_000_000,)
    monkeypatch.setattr("pathlib.Path.read_text", lambda *_, **__: "max\n")
    assert this_machine("cpu").memory[0] >= everything.memory[0]
