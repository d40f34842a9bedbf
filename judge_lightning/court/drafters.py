"""Batched generation of answers, each checked right or wrong.

An answer depends on its prompt, its author, its sample number and the seed, never on the
batch that it was generated in: every sample draws from its own random numbers, so shards
can be made again in any order and with any batch size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

from judge_lightning.court.checkers import check
from judge_lightning.court.prompting import answer_text, render_prompt
from judge_lightning.court.records import Answer, Prompt

_COMPACT_BELOW = 0.75
"""Finished rows leave the batch once fewer than this share of it is still being written."""


@dataclass(frozen=True)
class Drafter:
    """How one author writes: greedy at ``temperature`` 0, else ``samples`` draws a prompt."""

    author: str
    temperature: float = 0.0
    samples: int = 1


@dataclass(frozen=True)
class _Request:
    """One answer to be written; ``place`` is where it belongs among the shard's answers."""

    place: int
    prompt: Prompt
    sample: int
    prompt_ids: list[int]


def generate_answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Prompt],
    drafter: Drafter,
    *,
    max_new_tokens: int,
    batch_size: int,
    seed: int = 0,
) -> list[Answer]:
    """Writes and checks ``drafter.samples`` answers to every prompt, in the prompts' order.

    Prompts of similar length share a batch. The answers of one call are held in memory:
    call it with one shard of prompts at a time.

    Args:
        batch_size: Rows per forward pass.
        seed: Changes what a temperature above 0 draws.
    """
    requests = [
        _Request(number * drafter.samples + sample, prompt, sample, prompt_ids)
        for number, prompt in enumerate(prompts)
        for prompt_ids in [render_prompt(tokenizer, prompt.text)]
        for sample in range(drafter.samples)
    ]
    requests.sort(key=lambda request: (len(request.prompt_ids), request.place))
    stops = stop_tokens(model, tokenizer)
    answers: dict[int, Answer] = {}
    for start in range(0, len(requests), batch_size):
        batch = requests[start : start + batch_size]
        randoms = None
        if drafter.temperature > 0:
            randoms = torch.stack(
                [
                    _random_numbers(request, drafter.author, seed, max_new_tokens)
                    for request in batch
                ]
            )
        written = write_batch(
            model,
            [request.prompt_ids for request in batch],
            stops,
            max_new_tokens=max_new_tokens,
            temperature=drafter.temperature,
            randoms=randoms,
        )
        for request, token_ids in zip(batch, written, strict=True):
            answers[request.place] = _answer(request, drafter.author, tokenizer, token_ids, stops)
    return [answers[place] for place in range(len(requests))]


@torch.inference_mode()
def write_batch(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    stops: frozenset[int],
    *,
    max_new_tokens: int,
    temperature: float = 0.0,
    randoms: Tensor | None = None,
) -> list[list[int]]:
    """Continues every prompt until a stop token, which is kept, or ``max_new_tokens``.

    Args:
        prompts: Token ids, padded on the left here.
        temperature: 0 takes the most likely token.
        randoms: (batch, max_new_tokens) uniform in [0, 1), one per sampled token.

    Returns:
        The new token ids of each prompt, in order.
    """
    device = model.device
    ids, mask = _pad_left(prompts, device)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    stop_ids = torch.tensor(sorted(stops), device=device)
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
        running = running & ~torch.isin(tokens, stop_ids)
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
    config = model.generation_config
    stops = config.eos_token_id if config is not None else None
    if stops is None:
        stops = tokenizer.eos_token_id
    if stops is None:
        return frozenset()
    return frozenset([stops] if isinstance(stops, int) else stops)


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


def _random_numbers(request: _Request, author: str, seed: int, count: int) -> Tensor:
    name = f"{seed}:{author}:{request.prompt.id}:{request.sample}"
    digest = hashlib.sha256(name.encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
    return torch.rand(count, generator=generator)


def _answer(
    request: _Request,
    author: str,
    tokenizer: PreTrainedTokenizerBase,
    token_ids: list[int],
    stops: frozenset[int],
) -> Answer:
    text = answer_text(tokenizer, token_ids)
    return Answer(
        prompt_id=request.prompt.id,
        author=author,
        sample=request.sample,
        text=text,
        token_ids=token_ids,
        finished=bool(token_ids) and token_ids[-1] in stops,
        right=check(request.prompt, text),
    )
