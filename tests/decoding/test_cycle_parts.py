"""Every cycle knows its parts, and what its forward passes cost by themselves."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from judge_lightning import AutoregressiveDecoder, JudgeHead, SpeculativeDecoder
from judge_lightning.decoding.bare import bare_cycles
from judge_lightning.decoding.cycle_clock import CycleClock
from judge_lightning.decoding.trace import Cycle, CycleParts, Trace
from judge_lightning.heads import HeadConfig
from judge_lightning.verifiers import Exact, Judge

Models = tuple[PreTrainedModel, PreTrainedModel]


@pytest.fixture(scope="module")
def trace(llama: Models) -> Trace:
    """Of judge decoding, a block of three tokens a cycle."""
    head = JudgeHead.from_weights(torch.ones(32) * 0.1, 0.0, HeadConfig(32, 1, 2))
    decoder = SpeculativeDecoder(*llama, Judge(head), 3)
    return decoder.generate(torch.tensor([[1, 17, 5, 40, 8]]), 20, ()).trace


def test_the_parts_and_the_overhead_are_the_whole_cycle(trace: Trace) -> None:
    assert len(trace.cycles) > 2
    for cycle in trace.cycles:
        assert cycle.parts is not None
        parts = (cycle.parts.draft, cycle.parts.verify, cycle.parts.judge, cycle.overhead)
        assert min(parts) >= 0
        assert sum(parts) == pytest.approx(cycle.seconds, abs=1e-9)


def test_the_prompt_is_read_in_a_part_of_the_first_cycle(trace: Trace) -> None:
    assert all(cycle.parts and cycle.parts.verify > 0 for cycle in trace.cycles)


def test_decoding_alone_has_no_parts(llama: Models, prompt: torch.Tensor) -> None:
    trace = AutoregressiveDecoder(llama[0]).generate(prompt, 4).trace
    assert [cycle.parts for cycle in trace.cycles] == [None] * len(trace.cycles)
    assert trace.cycles[0].overhead is None


def test_the_parts_stay_out_of_the_json(trace: Trace) -> None:
    cycles = trace.to_json()["cycles"]
    assert set(cycles[0]) == {"proposed", "accepted", "standard", "judge", "next_token"}
    assert Trace.from_json(trace.to_json()).cycles[0].parts is None


class Event:
    """A CUDA event of a device that takes a millisecond from one to the next."""

    recorded = 0
    waited = 0

    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing

    def record(self, stream: Any) -> None:
        Event.recorded += 1
        self.at = float(Event.recorded)

    def synchronize(self) -> None:
        Event.waited += 1

    def elapsed_time(self, end: Event) -> float:
        return end.at - self.at


def test_on_a_gpu_nothing_is_waited_for_before_the_answer_is_complete(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: None)
    clock = CycleClock(torch.device("cuda"))
    for _ in range(8):
        clock.mark()
    assert (Event.recorded, Event.waited) == (8, 0)
    cycles = [Cycle([5], 1, [True], None, 9, seconds=0.005) for _ in range(2)]
    clock.share_out(cycles)
    assert [cycle.parts for cycle in cycles] == [CycleParts(0.001, 0.001, 0.001)] * 2
    assert cycles[0].overhead == pytest.approx(0.002)


def test_a_device_that_tells_no_times_leaves_cycles_without_parts() -> None:
    clock = CycleClock(torch.device("meta"))
    clock.mark()
    cycle = Cycle([5], 1, [True], None, 9)
    clock.share_out([cycle])
    assert cycle.parts is None


def test_bare_passes_are_timed_and_change_no_answer(llama: Models, prompt: torch.Tensor) -> None:
    decoder = SpeculativeDecoder(*llama, Exact(), 3)
    before = decoder.generate(prompt, 12, ()).sequences
    found = bare_cycles(decoder, prompt, repetitions=2)
    assert len(found) == 2
    assert all(passes.draft > 0 and passes.target > 0 for passes in found)
    assert torch.equal(decoder.generate(prompt, 12, ()).sequences, before)


def test_where_no_block_has_room_nothing_is_timed(llama: Models) -> None:
    """The tiny models have 96 positions: one for the target's own token, none for four more."""
    decoder = SpeculativeDecoder(*llama, Exact(), 4)
    assert len(bare_cycles(decoder, torch.ones((1, 91), dtype=torch.long), 1)) == 1
    assert bare_cycles(decoder, torch.ones((1, 92), dtype=torch.long), 1) == []
