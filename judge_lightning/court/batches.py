"""Writing many answers with one local model: batches of like lengths, as large as memory allows.

A continuation depends on its prompt, its temperature and its name, never on the batch that it was
written in: every one draws from its own random numbers, so batches can be cut in any way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from torch import Tensor
from transformers import (
    DynamicCache,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from judge_lightning.errors import UserError
from judge_lightning.models.batch_rows import RowPlan

_COMPACT_BELOW = 0.75
"""Finished rows leave the batch once fewer than this share of it is still being written."""


@dataclass(frozen=True)
class Continuation:
    """A prompt to be continued by at most ``limit`` tokens (1 or more).

    ``temperature`` 0 takes the most likely token; above it, ``name`` is what the random numbers
    follow from.
    """

    prompt_ids: Sequence[int]
    limit: int
    temperature: float = 0.0
    name: str = ""


class Writer(Protocol):
    """A model that continues prompts, wherever it runs.

    Attributes:
        stops: The tokens that end an answer.
        positions: How many tokens the model can read at most; 0 where it has no limit.
    """

    stops: frozenset[int]
    positions: int

    def write(self, asked: Sequence[Continuation]) -> list[list[int]]:
        """The new token ids of each, in the order asked for, up to and with a stop token."""


def open_writer(
    model: PreTrainedModel | Writer, tokenizer: PreTrainedTokenizerBase, rows: int
) -> Writer:
    """A writer over a loaded model; one that is a writer already is taken as it is.

    Args:
        rows: The most rows of a batch of a loaded model.
    """
    if isinstance(model, PreTrainedModel):
        return BatchWriter(model, stop_tokens(model, tokenizer), rows)
    return model


class BatchWriter:
    """Writes continuations with one model.

    The batch size starts from what the plan of the free memory allows and is halved for good
    when the memory runs out all the same.

    Attributes:
        rows: The most rows of a batch from now on.
        stops, positions: As ``Writer`` says.
    """

    def __init__(self, model: PreTrainedModel, stops: frozenset[int], rows: int) -> None:
        self.rows = rows
        self.stops = stops
        self.positions = positions_of(model)
        self._model = model
        self._plan = RowPlan(model)

    def write(self, asked: Sequence[Continuation]) -> list[list[int]]:
        """The new token ids of each, in the order asked for; prompts of like length share a batch.

        Raises:
            UserError: The memory runs out with one row.
        """
        waiting = sorted(
            range(len(asked)),
            key=lambda place: (asked[place].temperature, len(asked[place].prompt_ids), place),
        )
        written: dict[int, list[int]] = {}
        while waiting:
            places = self._next_batch(asked, waiting)
            batch = [asked[place] for place in places]
            ids = self._try(batch)
            if ids is None:
                self.rows = max(1, len(places) // 2)
                clear_device_cache(garbage_collection=True)
                continue
            written.update(zip(places, ids, strict=True))
            waiting = waiting[len(places) :]
        return [written[place] for place in range(len(asked))]

    def _next_batch(self, asked: Sequence[Continuation], waiting: list[int]) -> list[int]:
        candidates = waiting[: self.rows]
        first = asked[candidates[0]]
        alike = [place for place in candidates if asked[place].temperature == first.temperature]
        rows = self._plan.rows(
            len(alike),
            max(len(asked[place].prompt_ids) for place in alike),
            max(asked[place].limit for place in alike),
        )
        return alike[:rows]

    def _try(self, batch: list[Continuation]) -> list[list[int]] | None:
        """None when the memory ran out."""
        longest = max(one.limit for one in batch)
        temperature = batch[0].temperature
        randoms = None
        if temperature > 0:
            randoms = torch.stack([_random_numbers(one.name, longest) for one in batch])
        try:
            return write_batch(
                self._model,
                [one.prompt_ids for one in batch],
                self.stops,
                max_new_tokens=longest,
                temperature=temperature,
                randoms=randoms,
                limits=[one.limit for one in batch],
            )
        except Exception as error:
            if not should_reduce_batch_size(error):
                raise
            if len(batch) == 1:
                raise UserError(
                    "mine.batch_size",
                    f"the memory is too small for one prompt of {len(batch[0].prompt_ids)} tokens"
                    f" and {longest} new ones",
                    "shorten the answers (max_new_tokens), or take a smaller model",
                ) from error
            return None


@torch.inference_mode()
def write_batch(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    stops: frozenset[int],
    *,
    max_new_tokens: int,
    temperature: float = 0.0,
    randoms: Tensor | None = None,
    limits: Sequence[int] | None = None,
) -> list[list[int]]:
    """Continues every prompt until a stop token, which is kept, or ``max_new_tokens``.

    Args:
        prompts: Token ids, padded on the left here.
        temperature: 0 takes the most likely token.
        randoms: (batch, max_new_tokens) uniform in [0, 1), one per sampled token.
        limits: For each prompt, a number of new tokens below ``max_new_tokens``.

    Returns:
        The new token ids of each prompt, in order.
    """
    device = model.device
    ids, mask = _pad_left(prompts, device)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    stop_ids = torch.tensor(sorted(stops), device=device)
    last = torch.tensor(limits or [max_new_tokens] * len(prompts), device=device) - 1
    rows = torch.arange(len(prompts), device=device)
    written = torch.full((len(prompts), max_new_tokens), -1, dtype=torch.long)
    running = torch.ones(len(prompts), dtype=torch.bool, device=device)
    cache = DynamicCache(config=model.config)
    for step in range(max_new_tokens):
        logits = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        uniform = None if randoms is None else randoms[rows.cpu(), step].to(device)
        tokens = _choose(logits, temperature, uniform)
        written[rows[running].cpu(), step] = tokens[running].cpu()
        running = running & ~torch.isin(tokens, stop_ids) & (step < last[rows])
        left = int(running.sum())
        if left == 0:
            break
        if left < _COMPACT_BELOW * len(rows):
            keep = running.nonzero().squeeze(-1)
            cache.batch_select_indices(keep)
            rows, tokens, mask, positions = rows[keep], tokens[keep], mask[keep], positions[keep]
            running = running[keep]
        ids = tokens[:, None]
        mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=-1)
        positions = positions[:, -1:] + 1
    return [[token for token in row if token >= 0] for row in written.tolist()]


def stop_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """The tokens that end an answer: the generation config's, else the tokenizer's."""
    return stops_of(model.generation_config, tokenizer)


def stops_of(
    generation: GenerationConfig | None, tokenizer: PreTrainedTokenizerBase
) -> frozenset[int]:
    """The same of a generation config, None where a model has none."""
    stops = generation.eos_token_id if generation is not None else None
    if stops is None:
        stops = tokenizer.eos_token_id
    if stops is None:
        return frozenset()
    return frozenset([stops] if isinstance(stops, int) else stops)


def positions_of(model: PreTrainedModel) -> int:
    """How many tokens the model can read at most; 0 where it has no limit."""
    config = model.config.get_text_config(decoder=True)
    return int(getattr(config, "max_position_embeddings", None) or 0)


def _pad_left(prompts: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    longest = max(len(prompt) for prompt in prompts)
    ids = torch.zeros(len(prompts), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.tensor(prompt)
        mask[row, longest - len(prompt) :] = 1
    return ids.to(device), mask.to(device)


def _choose(logits: Tensor, temperature: float, uniform: Tensor | None) -> Tensor:
    """One token per row of (batch, vocabulary): the most likely, or the inverse CDF's."""
    if uniform is None:
        return logits.argmax(-1)
    cumulative = torch.softmax(logits.float() / temperature, -1).cumsum(-1)
    chosen = torch.searchsorted(cumulative, uniform[:, None].float(), right=True).squeeze(-1)
    # Rounding may leave the last cumulative sum below the random number.
    return chosen.clamp(max=logits.shape[-1] - 1)


def _random_numbers(name: str, count: int) -> Tensor:
    digest = hashlib.sha256(name.encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
    return torch.rand(count, generator=generator)
