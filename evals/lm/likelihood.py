"""Log-probabilities of given continuations under one model, in batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from lm_eval.models.utils import Collator
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel

from judge_lightning.decoding.request import vocabulary_size

Scored = tuple[float, bool]
"""A continuation's log-probability, and whether greedy decoding would write it."""

Continuation = tuple[Any, list[int], list[int]]
"""What the request is called, its context's token ids and its continuation's, neither empty."""

_LOGITS_BYTES = 2**29
"""What a batch's logits may take where its size is chosen here."""
_LARGEST_BATCH = 64


def choose_batch_size(model: PreTrainedModel, longest: int) -> int:
    """As many rows of ``longest`` tokens as have float32 logits in 512 MiB, at most 64."""
    row = max(1, longest) * vocabulary_size(model) * 4
    return max(1, min(_LARGEST_BATCH, _LOGITS_BYTES // row))


def score_continuations(
    model: PreTrainedModel,
    requests: Sequence[Continuation],
    batch_size: int | None,
    scored: Callable[[Any, Scored], None],
) -> list[Scored]:
    """Scores every continuation behind its context, which together fit the model.

    Rows are sorted by length and padded on their right, where a causal model does not look.
    Continuations that differ in their last token alone share one row.

    Args:
        batch_size: Rows a forward pass; None chooses.
        scored: Called with each request's name and score as soon as there is one.
    """
    ordered = Collator(
        list(requests), sort_fn=_by_length, group_fn=_without_last, group_by="contexts"
    )
    longest = max((len(context) + len(new) for _, context, new in requests), default=0)
    scores: list[Scored] = []
    # The collator's own types are those of strings.
    batches: Any = ordered.get_batched(n=batch_size or choose_batch_size(model, longest))
    for batch in batches:
        for (name, context, new), logprobs in zip(batch, _logprobs(model, batch), strict=True):
            shared: Any = ordered.get_cache(
                req_str=name, cxt_toks=context, cont_toks=new, logits=logprobs[None]
            )
            for each_name, each_new, each_logprobs in shared:
                score = _score(each_logprobs[0], each_new)
                scores.append(score)
                scored(each_name, score)
    return ordered.get_original(scores)


def _by_length(request: Continuation) -> tuple[int, tuple[int, ...]]:
    """The longest first: what does not fit into memory shows at once."""
    token_ids = request[1] + request[2]
    return -len(token_ids), tuple(token_ids)


def _without_last(request: Continuation) -> list[int]:
    return request[1] + request[2][:-1]


def _logprobs(model: PreTrainedModel, batch: Sequence[Continuation]) -> list[Tensor]:
    """Log-probabilities (len(continuation), V) float32 at every row's continuation."""
    rows = [torch.tensor([*context, *new][:-1]) for _, context, new in batch]
    padded = pad_sequence(rows, batch_first=True).to(model.device)
    with torch.inference_mode():
        logits = model(input_ids=padded, use_cache=False).logits
    places = [
        slice(len(row) - len(new), len(row)) for row, (_, _, new) in zip(rows, batch, strict=True)
    ]
    return [torch.log_softmax(logits[i, place].float(), dim=-1) for i, place in enumerate(places)]


def _score(logprobs: Tensor, continuation: Sequence[int]) -> Scored:
    """Of the last ``len(continuation)`` rows, which may be fewer than there are."""
    rows = logprobs[-len(continuation) :]
    targets = torch.tensor(continuation, device=rows.device)
    total = rows.gather(-1, targets[:, None]).sum().item()
    return total, bool((rows.argmax(-1) == targets).all())
