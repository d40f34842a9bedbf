"""The bound of a cycle: what its forward passes cost by themselves.

A cycle cannot be faster than M forwards of the draft and one of the target over M + 1 tokens.
These are timed on the caches of a real answer, at its length: transformers' own forwards for the
eager engine, the compiled graphs for the compiled one. ``benchmarks.cycle_bound`` does it in front
of every cycle, a run now and then between two prompts.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from judge_lightning.decoding.compiled import CompiledSpeculation
from judge_lightning.decoding.decoder import SpeculativeDecoder
from judge_lightning.decoding.eager import EagerSpeculation
from judge_lightning.decoding.engine import Roles, Speculation
from judge_lightning.decoding.request import longest_sequence, make_request

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class BarePasses:
    """Seconds of M draft forwards, and of one target forward over M + 1 tokens."""

    draft: float
    target: float


def bare_cycles(
    decoder: SpeculativeDecoder, input_ids: Tensor, repetitions: int
) -> list[BarePasses]:
    """Times the bare passes behind a prompt, after a cycle that warms up.

    Args:
        decoder: Its engine must have room for M + 1 more tokens than ``input_ids``; it is not
            changed.
        input_ids: A prompt, (1, T) long, perhaps with a part of its answer.
        repetitions: How often.

    Returns:
        None at all where the models' positions leave no room for a block of M tokens.
    """
    roles = decoder.roles
    n, m = input_ids.shape[1], roles.draft_length
    room = min(longest_sequence(roles.target) - n - 1, longest_sequence(roles.draft) - n)
    if room < m:
        return []
    request = make_request(roles.target, input_ids, m + 1, (), temperature=0.0, generator=None)
    clock = clock_of(roles.target.device)
    with torch.inference_mode():
        decoder.engine.prepare(roles, request)
        with decoder.engine.speculate(roles, request) as speculation:
            proposed, _ = speculation.propose(n)
            speculation.verify(n, proposed)
            speculation.forget_after(n)
            return [bare_passes(speculation, roles, n, clock) for _ in range(repetitions)]


def bare_passes(
    speculation: Speculation, roles: Roles, n: int, clock: Clock = perf_counter
) -> BarePasses:
    """Times them once, behind the first ``n`` tokens of an answer in the making.

    What they leave in the caches is dropped, outside of the time. ``clock`` has to wait for the
    device (``clock_of``).
    """
    if isinstance(speculation, CompiledSpeculation):
        return _compiled(speculation, roles, n, clock)
    assert isinstance(speculation, EagerSpeculation), "there are two engines"
    return _eager(speculation, roles, n, clock)


def clock_of(device: torch.device) -> Clock:
    """The wall clock, read after the device has done all that it was given."""
    if device.type != "cuda":
        return perf_counter

    def waiting() -> float:
        torch.cuda.synchronize(device)
        return perf_counter()

    return waiting


def _eager(speculation: EagerSpeculation, roles: Roles, n: int, clock: Clock) -> BarePasses:
    draft, target = speculation._draft._cache, speculation._target._cache
    token = speculation.tokens[:, n - 1 : n]
    block = token.expand(1, roles.draft_length + 1)
    token = token.to(roles.draft.device)
    limited = "logits_to_keep" in inspect.signature(roles.draft.forward).parameters
    options: dict[str, Any] = {"logits_to_keep": 1} if limited else {}
    started = clock()
    for _ in range(roles.draft_length):
        roles.draft(token, past_key_values=draft, use_cache=True, **options)
    drafted = clock()
    roles.target(block, past_key_values=target, use_cache=True)
    ended = clock()
    draft.crop(-roles.draft_length)
    target.crop(-roles.draft_length - 1)
    return BarePasses(drafted - started, ended - drafted)


def _compiled(speculation: CompiledSpeculation, roles: Roles, n: int, clock: Clock) -> BarePasses:
    """The draft's calls make a step or two more than M: M of those count."""
    draft, target = speculation._draft, speculation._target
    token, given = speculation.tokens[0, n - 1 : n].clone(), draft.model.unknown
    token = token.to(draft.model.device)
    count = draft.steps * draft.calls
    positions = [p.clone() for p in draft.model.position[n - 1 : n - 1 + count]]
    window = slice(n - 1, n + roles.draft_length)
    block, places = speculation.tokens[0, window].clone(), target.model.positions[window]
    started = clock()
    for call in range(0, count, draft.steps):
        draft.read_on(token, given, positions[call : call + draft.steps])
    drafted = clock()
    target.graphs[len(block)](block, places)
    ended = clock()
    return BarePasses((drafted - started) * roles.draft_length / count, ended - drafted)
