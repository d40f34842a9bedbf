"""A causal language model with a static cache and compiled graphs of fixed shapes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, StaticCache
from transformers.cache_utils import Cache, StaticLayer, StaticSlidingWindowLayer

from judge_lightning.decoding.cached_model import input_device
from judge_lightning.decoding.request import distribution, longest_sequence
from judge_lightning.errors import UserError
from judge_lightning.models.hidden_states import HiddenStateTap

REMEDY = "use engine=eager"

Graph = Callable[..., Any]


def static_cache(model: PreTrainedModel, length: int) -> Cache:
    """A cache of ``length`` slots in every layer.

    Sliding layers get all slots too: their mask alone keeps them to their window, and a token
    that slid out of it is still there after a rollback.

    Raises:
        UserError: The model has layers that are no plain attention over keys and values.
    """
    config: Any = model.config
    layers = StaticCache(config=config, max_cache_len=length).layers
    chunked = getattr(config.get_text_config(decoder=True), "attention_chunk_size", None)
    if chunked or any(type(x) not in (StaticLayer, StaticSlidingWindowLayer) for x in layers):
        raise UserError("engine", f"{type(model).__name__} has no static cache", REMEDY)
    return Cache(layers=[StaticLayer(length) for _ in layers])


class StaticModel:
    """Reads tokens into numbered slots of its cache; slot and position are the same.

    A read at position p attends to the slots up to p alone, so whatever was written behind is
    forgotten by reading at an earlier position again. Slots behind the model's last position
    take padding, whose results nobody reads. All methods run in inference mode.

    Args:
        model: The model, on one device.
        length: Slots of the cache.

    Raises:
        UserError: The model has no static cache.
    """

    def __init__(self, model: PreTrainedModel, length: int) -> None:
        self.model = model
        self.length = length
        self.device = input_device(model)
        self._graphs: dict[str, Graph] = {}
        parameters = inspect.signature(model.forward).parameters
        self._takes_positions = "position_ids" in parameters
        self._limits_logits = "logits_to_keep" in parameters
        self._last_position = longest_sequence(model) - 1
        self._cache = static_cache(model, length)
        self.positions = torch.arange(length, device=self.device)
        # One tensor a position: steps that differ in nothing else share their kernels.
        self.position = [torch.tensor([p], device=self.device) for p in range(length)]
        self.unknown = torch.full((1,), -1, device=self.device)
        # The layers take their memory when they are first written to, which no graph may do.
        self._read(torch.zeros(1, dtype=torch.long, device=self.device), self.position[0])

    def prefill(self, tokens: Tensor) -> None:
        """Reads a prompt (T,) into the first slots, in plain PyTorch; T may be 0."""
        if len(tokens):
            self._read(tokens.to(self.device), self.positions[: len(tokens)])

    def step_graph(self) -> Graph:
        """Token (1,) and position (1,) to the next token's logits (1, V)."""
        return self._graph("step", self._read, (self._tokens(1), self.position[0]))

    def verify_graph(self, count: int, layers: Sequence[int]) -> Graph:
        """Tokens (count,) and positions (count,) to logits (count, V) and, a list, the output
        (count, H) of each block in ``layers``."""
        tap = HiddenStateTap(self.model, layers)

        def verify(tokens: Tensor, positions: Tensor) -> tuple[Tensor, list[Tensor]]:
            tap.states.clear()
            logits = self._read(tokens, positions, keep_all=True)
            states = [tap.states[layer][0] for layer in layers]
            tap.states.clear()
            return logits, states

        # The hooks become part of the graph: they are needed while it is made only.
        with tap:
            example = (self._tokens(count), self.positions[:count])
            return self._graph(f"verify {count} {list(layers)}", verify, example)

    def steps_graph(self, steps: int, vocabulary: int, confident: bool = False) -> Graph:
        """Greedy steps, ids below ``vocabulary``: a token (1,), what is to follow it (1,) or -1
        where that is to be found out, and a list of ``steps`` positions (1,), to the tokens
        (steps,) that follow and a number () that is NaN where the model gave NaN. ``confident``
        gives the probability of each token instead (steps,), which is of no use where a token
        was given, and NaN in the same case."""

        def read_on(token: Tensor, given: Tensor, positions: list[Tensor]) -> tuple[Tensor, Tensor]:
            tokens: list[Tensor] = []
            peaks: list[Tensor] = []
            for position in positions:
                logits = self._read(token, position)[:, :vocabulary]
                token = logits.argmax(-1)
                if not tokens:
                    token = torch.where(given < 0, token, given)
                tokens.append(token)
                peaks.append(logits.amax(-1))
            return torch.cat(tokens), torch.cat(peaks).amax()

        def read_on_confidently(
            token: Tensor, given: Tensor, positions: list[Tensor]
        ) -> tuple[Tensor, Tensor]:
            rows = [self._read(token, positions[0])[:, :vocabulary]]
            tokens = [torch.where(given < 0, rows[0].argmax(-1), given)]
            for position in positions[1:]:
                rows.append(self._read(tokens[-1], position)[:, :vocabulary])
                tokens.append(rows[-1].argmax(-1))
            return torch.cat(tokens), distribution(torch.cat(rows), 1.0).amax(-1)

        example = (self._tokens(1), self._tokens(1), self.position[:steps])
        if confident:
            key = f"confident steps {steps} {vocabulary}"
            return self._graph(key, read_on_confidently, example)
        return self._graph(f"steps {steps} {vocabulary}", read_on, example)

    def _read(self, tokens: Tensor, positions: Tensor, keep_all: bool = False) -> Tensor:
        """Reads tokens (k,) at consecutive positions (k,); logits (k or 1, V)."""
        layers: list[Any] = self._cache.layers
        for layer in layers:
            layer.cumulative_length.copy_(positions[0])
        options: dict[str, Any] = {}
        if self._takes_positions:
            options["position_ids"] = positions.clamp(max=self._last_position).unsqueeze(0)
        if self._limits_logits and not keep_all:
            options["logits_to_keep"] = 1
        output: Any = self.model(
            tokens.unsqueeze(0), past_key_values=self._cache, use_cache=True, **options
        )
        logits: Tensor = output.logits[0] if keep_all else output.logits[0, -1:]
        return logits

    def _tokens(self, count: int) -> Tensor:
        return torch.zeros(count, dtype=torch.long, device=self.device)

    def _graph(self, key: str, function: Graph, example: tuple[Any, ...]) -> Graph:
        """Compiles a function at its first call; afterwards gives what was made then."""
        if key in self._graphs:
            return self._graphs[key]
        compile_function: Any = torch.compile  # Its stub misses an argument.
        graph: Graph = compile_function(
            function,
            fullgraph=True,
            dynamic=False,
            isolate_recompiles=True,
            # Nothing but a tensor's shape could change, and shapes are fixed.
            options={
                "guard_filter_fn": torch.compiler.keep_tensor_guards_unsafe,
                "triton.cudagraphs": self.device.type == "cuda",
            },
        )
        try:
            graph(*example)
        except Exception as error:
            reason = str(error).strip().split("\n", maxsplit=1)[0].rstrip(".")
            name = type(self.model).__name__
            raise UserError("engine", f"{name} cannot be compiled ({reason})", REMEDY) from error
        self._graphs[key] = graph
        return graph
