"""How a task wants its answers: their length, where they end, and how tokens are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from lm_eval.models.utils import normalize_gen_kwargs
from torch import Tensor
from transformers import (
    LogitsProcessorList,
    PreTrainedTokenizerBase,
    StoppingCriteria,
    StoppingCriteriaList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from evals.generations import text_of
from judge_lightning.decoding.request import Extras


@dataclass(frozen=True)
class Asked:
    """What a task asks of an answer.

    Attributes:
        tokens: At most this many.
        stops: The answer ends before the first of these strings.
        temperature: 0 is greedy.
        top_k: Draw from so many tokens; 0: from all.
        top_p: Draw from the likeliest tokens that have this much probability together.
    """

    tokens: int
    stops: tuple[str, ...] = ()
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0

    @property
    def warped(self) -> bool:
        """Whether more than a temperature shapes what is drawn from."""
        return self.temperature > 0 and (self.top_k > 0 or self.top_p < 1.0)

    def extras(self, tokenizer: PreTrainedTokenizerBase, prompt_length: int) -> Extras:
        """Stop strings and warpers as decoders take them; ``drawn_at`` goes with them."""
        stopping = StoppingCriteriaList()
        if self.stops:
            stopping.append(StopStrings(tokenizer, self.stops, prompt_length))
        if not self.warped:
            return Extras(stopping_criteria=stopping)
        # In the order of transformers, whose top-p looks at what the temperature leaves.
        warpers = LogitsProcessorList([TemperatureLogitsWarper(self.temperature)])
        if self.top_k > 0:
            warpers.append(TopKLogitsWarper(self.top_k))
        if self.top_p < 1.0:
            warpers.append(TopPLogitsWarper(self.top_p))
        return Extras(warpers, stopping)

    @property
    def drawn_at(self) -> float:
        """The temperature that is left for the decoder."""
        return 1.0 if self.warped else self.temperature


def asked_of(settings: Mapping[str, Any], tokens: int, temperature: float | None) -> Asked:
    """Reads a task's ``generation_kwargs``.

    Args:
        settings: As in a task's file.
        tokens: The limit where the task sets none.
        temperature: Overrules the task's way of drawing tokens; None leaves it to the task.
    """
    read: dict[str, Any] = dict(normalize_gen_kwargs(dict(settings), tokens))
    stops = tuple(stop for stop in read["until"] or [] if stop)
    limit = int(read["max_gen_toks"])
    if temperature is not None:
        return Asked(limit, stops, temperature)
    if not read.get("do_sample"):
        return Asked(limit, stops)
    return Asked(
        limit,
        stops,
        float(read.get("temperature", 1.0)),
        int(read.get("top_k") or 0),
        float(read.get("top_p") or 1.0),
    )


class StopStrings(StoppingCriteria):
    """Ends an answer once it holds a stop string.

    Args:
        tokenizer: Turns tokens into the text that the strings are looked for in.
        stops: None of them empty.
        prompt_length: Tokens in front of the answer, where the strings do not count.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, stops: Sequence[str], prompt_length: int
    ) -> None:
        self._tokenizer = tokenizer
        self._stops = tuple(stops)
        self._start = prompt_length
        # A string of so many bytes lies in at most so many tokens, the last one of which is new.
        self._longest = max(len(stop.encode()) for stop in stops)

    def __call__(self, input_ids: Tensor, scores: Any, **kwargs: Any) -> Tensor:
        """Whether each of the sequences (1, T) has ended, (1,) bool."""
        answer = input_ids[0, self._start :].tolist()
        # Words may be put together anew where a text begins in their middle: the tail suspects,
        # the whole decides.
        ended = self._found(answer[-self._longest :]) and self._found(answer)
        return torch.tensor([ended], device=input_ids.device)

    def _found(self, token_ids: Sequence[int]) -> bool:
        text = text_of(self._tokenizer, token_ids)
        return any(stop in text for stop in self._stops)


def cut_at(text: str, stops: str | Sequence[str]) -> str:
    """The text before the first of the stop strings; empty stop strings are no stops."""
    for stop in [stops] if isinstance(stops, str) else stops:
        if stop:
            text = text.split(stop, maxsplit=1)[0]
    return text
