"""The compiled engine: static caches, fixed shapes, the draft block and the verify as graphs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor
from transformers import PreTrainedModel

from judge_lightning.decoding.cached_model import croppable_cache
from judge_lightning.decoding.compiler import compiler_problem, keep_compiled_code
from judge_lightning.decoding.draft_length import Pace
from judge_lightning.decoding.engine import Roles
from judge_lightning.decoding.request import (
    Request,
    longest_sequence,
    nan_logits,
    room_for_proposals,
    vocabulary_size,
)
from judge_lightning.decoding.static_model import REMEDY, Graph, StaticModel, static_cache
from judge_lightning.errors import UserError

BUCKET = 256
"""Static lengths are multiples of it, so that a longer prompt seldom needs new graphs."""
LONGEST_GRAPH = 7
"""Draft steps in one graph at most."""
ADAPTIVE_GRAPH = 5
"""Draft steps in one graph where a block may end after every call: a call costs about as much
beside its steps as one of them does, and on average half of the last call is for nothing."""
ADAPTIVE_WIDTHS = (8, 16)
"""Tokens that the target reads at once where blocks are shorter than the longest. Each width is
a graph of the whole target, which takes long to compile."""


class CompiledEngine:
    """Greedy decoding through graphs that are compiled once and used for every answer.

    Decoders that share an engine share its graphs and caches, and must take turns. An answer
    longer than all before it makes new ones. On a GPU the graphs are meant to be replayed as
    CUDA graphs; that has not been run on one.

    Args:
        longest: Makes room for answers of that many tokens, prompt included, from the start.

    Raises:
        UserError: This machine has no C++ compiler.
    """

    def __init__(self, longest: int = 0) -> None:
        problem = compiler_problem()
        if problem is not None:
            raise UserError("engine", f"compiled needs a C++ compiler: {problem}", REMEDY)
        keep_compiled_code()
        self.compile_seconds = 0.0
        self._longest = longest
        self._models: dict[tuple[str, int], StaticModel] = {}
        self._layers: dict[int, set[int]] = defaultdict(set)
        self._padding = 0

    def reserve(self, longest: int) -> None:
        """Makes room for answers of that many tokens from the next one on."""
        self._longest = max(self._longest, longest)

    def admit(self, roles: Roles) -> None:
        """Raises UserError for a model without a static cache or on several devices, and for a
        rule that reads the draft's probabilities or states.

        One graph gives out the layers of all verifiers, so decoders that share an engine are
        best made before the first of them decodes.
        """
        if roles.reads_draft:
            problem = "compiled does not keep the draft's probabilities, which this rule reads"
            raise UserError("engine", problem, REMEDY)
        if roles.reads_draft_states:
            problem = "compiled does not keep the draft's states, which this rule's judge reads"
            raise UserError("engine", problem, REMEDY)
        self.admit_alone(roles.target)
        self.admit_alone(roles.draft)
        self._layers[id(roles.target)].update(roles.layers)
        steps, calls = _steps_and_calls(roles)
        self._padding = max(self._padding, steps * calls)

    def admit_alone(self, model: PreTrainedModel) -> None:
        """Raises UserError for a model without a static cache or on several devices."""
        if len(set((getattr(model, "hf_device_map", None) or {}).values())) > 1:
            problem = f"compiled does not run {type(model).__name__} on several devices"
            raise UserError("engine", problem, REMEDY)

        croppable_cache(model)
        static_cache(model, 1)

    def prepare(self, roles: Roles, request: Request) -> None:
        """Makes both models' caches and graphs, where they are missing or too short."""
        _check_greedy(request)
        with self._counted():
            self._pair(roles, request)

    def prepare_alone(self, model: PreTrainedModel, request: Request) -> None:
        """Makes a model's cache and graph, where they are missing or too short."""
        _check_greedy(request)
        with self._counted():
            self._static("target", model, request.end).step_graph()

    @contextmanager
    def speculate(self, roles: Roles, request: Request) -> Iterator[CompiledSpeculation]:
        """Starts one answer by reading the prompt."""
        yield CompiledSpeculation(*self._pair(roles, request), roles, request)

    @contextmanager
    def monologue(self, model: PreTrainedModel, request: Request) -> Iterator[CompiledMonologue]:
        """Starts one answer of a model alone."""
        yield CompiledMonologue(self._static("target", model, request.end))

    def _pair(self, roles: Roles, request: Request) -> tuple[_Target, _Draft]:
        steps, calls = _steps_and_calls(roles)
        target = self._static("target", roles.target, request.end)
        draft = self._static("draft", roles.draft, request.end)
        layers = sorted(self._layers[id(roles.target)])
        places = tuple(layers.index(layer) for layer in roles.layers)
        vocabulary = vocabulary_size(roles.target)
        return (
            _Target(target, {w: target.verify_graph(w, layers) for w in _widths(roles)}, places),
            _Draft(draft, draft.steps_graph(steps, vocabulary, roles.adaptive), steps, calls),
        )

    def _static(self, role: str, model: PreTrainedModel, end: int) -> StaticModel:
        """A model with slots for ``end`` tokens and for padding behind them.

        A model that is both target and draft has a cache for each role.
        """
        positions = longest_sequence(model)
        needed = min(end, positions) + self._padding
        known = self._models.get((role, id(model)))
        if known is None or known.length < needed:
            wanted = -(-max(needed, self._longest + self._padding) // BUCKET) * BUCKET
            known = StaticModel(model, min(wanted, positions + self._padding))
            self._models[role, id(model)] = known
        return known

    @contextmanager
    def _counted(self) -> Iterator[None]:
        started = perf_counter()
        yield
        self.compile_seconds += perf_counter() - started


@dataclass(frozen=True, slots=True)
class _Target:
    model: StaticModel
    graphs: dict[int, Graph]
    """By the number of tokens that they read, the narrowest first."""
    layer_places: tuple[int, ...]
    """Where among the graphs' layers the verifier's stand."""

    def width_for(self, count: int) -> int:
        """Of the narrowest graph that reads ``count`` tokens."""
        return next(width for width in self.graphs if width >= count)


@dataclass(frozen=True, slots=True)
class _Draft:
    model: StaticModel
    read_on: Graph
    steps: int
    calls: int


class CompiledSpeculation:
    """``Speculation`` over two static caches.

    Blocks have M tokens: where fewer have room, the rest is drafted and read like the others, and
    ignored. A pace ends the drafting with a call of the draft's graph, and the block where it
    wants within that call, so that the eager engine writes the same.
    """

    def __init__(self, target: _Target, draft: _Draft, roles: Roles, request: Request) -> None:
        self._target, self._draft = target, draft
        self._roles = roles
        self._end = request.end
        self._peaks: list[Tensor] = []
        n = request.prompt.shape[1]
        size = request.end + roles.draft_length
        self.tokens = torch.zeros((1, size), dtype=torch.long, device=target.model.device)
        self.tokens[:, :n] = request.prompt
        target.model.prefill(self.tokens[0, : n - 1])
        if self._room(n):
            draft.model.prefill(self.tokens[0, : max(0, n - 2)])

    def propose(self, n: int, pace: Pace | None = None) -> tuple[int, None]:
        """Drafts the block, past an EOS too: what follows one is cut off later.

        The token before the last decided one is read again: after a block that was kept whole
        the cache misses it, otherwise that changes nothing. A prompt of one token is read twice.
        """
        m = self._room(n)
        if m == 0:
            return 0, None
        draft = self._draft
        before = max(0, n - 2)
        decided = self.tokens[0, before:n].to(draft.model.device)
        positions = draft.model.position[n - 1 : n - 2 + draft.steps * draft.calls]
        # A copy, because a graph must not be given the same tensor twice.
        positions.insert(0, draft.model.position[before].clone())
        blocks: list[Tensor] = []
        self._peaks = []
        token, given = decided[:1], decided[-1:]
        for start in range(0, len(positions), draft.steps):
            read = positions[start : start + draft.steps]
            block, peaks = draft.read_on(token, given, read)
            blocks.append(block)
            self._peaks.append(peaks)
            if pace is not None:
                # Of the tokens that have room; the first one of all is the last decided one.
                seen = peaks.tolist()[0 if start else 1 : m + 1 - start]
                ends = pace.watch(seen)
                if ends is not None or start + draft.steps > m:
                    m = m if ends is None else ends
                    break
            token, given = block[-1:], draft.model.unknown
        self.tokens[0, n : n + m] = torch.cat(blocks)[1 : m + 1]
        return m, None

    def verify(self, n: int, m: int) -> tuple[Tensor, Tensor | None]:
        """One graph reads m + 1 tokens from the last decided one on, and what lies behind."""
        width = self._target.width_for(m + 1)
        window = slice(n - 1, n - 1 + width)
        positions = self._target.model.positions[window]
        logits, states = self._target.graphs[width](self.tokens[0, window], positions)
        places = self._target.layer_places
        if not places:
            return logits[: m + 1], None
        read = [states[place][1 : m + 1] for place in places]
        return logits[: m + 1], torch.stack(read, 1) if len(read) > 1 else read[0]

    def draft_states(self, n: int, m: int) -> None:
        """Whatever reads them is not admitted."""

    def forget_after(self, n: int) -> None:
        """Crops nothing: the next reads start at their own positions.

        The verdict has waited for the device, so a look at the draft's peaks is free by now.
        """
        if self._peaks and bool(torch.hstack(self._peaks).isnan().any()):
            raise nan_logits("pair.draft")

    def _room(self, n: int) -> int:
        return room_for_proposals(self._roles.draft, self._roles.draft_length, n, self._end)


class CompiledMonologue:
    """``Monologue`` over a static cache: the prompt in plain PyTorch, then a graph a token."""

    def __init__(self, model: StaticModel) -> None:
        self._model = model
        self._step = model.step_graph()
        self._length = 0

    def read(self, tokens: Tensor) -> Tensor:
        """All but the last token are a prompt."""
        self._model.prefill(tokens[0, :-1])
        self._length += tokens.shape[1]
        # A copy, because a tensor from outside inference mode would need a graph of its own.
        logits: Tensor = self._step(tokens[0, -1:].clone(), self._model.position[self._length - 1])
        return logits


def steps_and_calls(count: int) -> tuple[int, int]:
    """How ``count`` draft steps are cut into calls of one graph: steps per call, and calls.

    One graph of all the steps runs roughly a fifth faster (3.3 against 4.0 ms for twenty steps of
    the embedded draft), but the time to compile it grows with every step. The last call may
    overshoot, so the size that wastes least is taken, and the longest of such.
    """
    sizes = range(min(count, 3), min(count, LONGEST_GRAPH) + 1)
    steps = min(sizes, key=lambda size: (-(-count // size) * size, -size))
    return steps, -(-count // steps)


def _steps_and_calls(roles: Roles) -> tuple[int, int]:
    """One step more than a block has tokens: the last decided one is read again."""
    count = roles.draft_length + 1
    if not roles.adaptive or count <= ADAPTIVE_GRAPH:
        return steps_and_calls(count)
    return ADAPTIVE_GRAPH, -(-count // ADAPTIVE_GRAPH)


def _widths(roles: Roles) -> list[int]:
    """Tokens that the target's graphs read; M + 1 alone where every block has M."""
    widest = roles.draft_length + 1
    narrower = [w for w in ADAPTIVE_WIDTHS if w < widest] if roles.adaptive else []
    return [*narrower, widest]


def _check_greedy(request: Request) -> None:
    if request.temperature > 0:
        problem = f"compiled decodes greedily alone, the temperature is {request.temperature}"
        raise UserError("engine", problem, REMEDY)
    if request.extras.logits_processor:
        problem = "compiled knows no logits processors"
        raise UserError("engine", problem, REMEDY)
