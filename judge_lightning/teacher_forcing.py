"""Any text under a target: what one forward pass per answer says of every token of it.

The target reads prompt and answer at once (teacher forcing), so each token is judged behind the
text's own tokens, never behind what the target would have written. This is what a speculative
decoder sees as long as it keeps the text.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from judge_lightning.decoding.request import nan_logits
from judge_lightning.models.hidden_states import HiddenStateTap

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from judge_lightning.heads import JudgeHead

LOGIT_BYTES = 2**28
"""Most bytes of one batch's logits; rows wait for the next batch, but one row is always read."""
_POSITIONS = 64
"""Tokens whose probabilities are worked out at once, in float32."""


@dataclass(frozen=True)
class PromptedAnswer:
    """An answer behind its prompt, both as token ids; the prompt has one at least.

    ``others`` names further tokens to score, by their place in the answer: each is scored behind
    the same text as the answer's token that stands there.
    """

    prompt_ids: Sequence[int]
    answer_ids: Sequence[int]
    others: Mapping[int, int] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """Tokens of both."""
        return len(self.prompt_ids) + len(self.answer_ids)


@dataclass(frozen=True)
class TokenScores:
    """One value per token of an answer.

    Attributes:
        ranks: 1 for the target's own greedy choice, which is what the standard rule accepts; of
            equally likely tokens the one with the smaller id comes first, as in ``argmax``.
        probabilities: The target's, at temperature 1.
        judge: How likely the judge finds the token correct; None without a judge.
        others: Rank and probability of each token of ``PromptedAnswer.others``, by its place.
    """

    ranks: list[int]
    probabilities: list[float]
    judge: list[float] | None
    others: dict[int, tuple[int, float]] = field(default_factory=dict)


@torch.inference_mode()
def score_answers(
    model: PreTrainedModel,
    readings: Sequence[PromptedAnswer],
    *,
    rows: int,
    head: JudgeHead | None = None,
    field_name: str = "pair.target",
) -> list[TokenScores]:
    """Reads every answer once and scores its tokens, in the order of ``readings``.

    Answers of like length share a padded batch; scores depend on it by rounding only.

    Args:
        rows: The most answers per forward pass.
        head: A judge of this target; its layers are tapped in the same pass.
        field_name: The setting that names the model, for the message about its NaN.

    Raises:
        ValueError: A prompt is empty: nothing would predict the answer's first token; or the judge
            reads a draft's states, too.
        UserError: The model gave NaN.
    """
    if any(not reading.prompt_ids for reading in readings):
        raise ValueError("an answer needs a token before it")
    if head is not None and head.reads_draft_embedding:
        raise ValueError("the judge reads a draft's states, and no draft reads here")
    scores: dict[int, TokenScores] = {}
    layers = () if head is None else head.layers_read
    with HiddenStateTap(model, layers) if layers else nullcontext() as tap:
        for places in _batches(model, readings, rows):
            batch = [readings[place] for place in places]
            logits, first = _read(model, batch)
            states = None if tap is None else [tap.states[layer] for layer in layers]
            for row, (place, reading) in enumerate(zip(places, batch, strict=True)):
                start = len(reading.prompt_ids)
                past = reading.length
                predictions = logits[row, start - 1 - first : past - 1 - first]
                ranks, probabilities = _rank(predictions, reading.answer_ids, field_name)
                asked = list(reading.others)
                others = zip(
                    *_rank(predictions[asked], list(reading.others.values()), field_name),
                    strict=True,
                )
                judge = None
                if head is not None and states is not None:
                    judge = _judge(head, [layer[row, start:past] for layer in states])
                scores[place] = TokenScores(
                    ranks, probabilities, judge, dict(zip(asked, others, strict=True))
                )
    return [scores[place] for place in range(len(readings))]


def _batches(
    model: PreTrainedModel, readings: Sequence[PromptedAnswer], rows: int
) -> Iterator[list[int]]:
    """Places of the readings, the shortest first, as many as the logits leave room for."""
    config: Any = model.config
    per_token = int(config.get_text_config(decoder=True).vocab_size) * model.dtype.itemsize
    batch: list[int] = []
    for place in sorted(range(len(readings)), key=lambda place: readings[place].length):
        kept = _kept([*(readings[one] for one in batch), readings[place]])
        full = len(batch) == rows or (len(batch) + 1) * kept * per_token > LOGIT_BYTES
        if batch and full:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _kept(batch: Sequence[PromptedAnswer]) -> int:
    """How many of the last positions predict a token of some answer, or come after one."""
    longest = max(reading.length for reading in batch)
    return longest - min(len(reading.prompt_ids) for reading in batch) + 1


def _read(model: PreTrainedModel, batch: Sequence[PromptedAnswer]) -> tuple[Tensor, int]:
    """Logits (rows, positions, V), and the place in the text that the first position is."""
    kept = _kept(batch)
    longest = max(reading.length for reading in batch)
    # What stands to the right of a token cannot reach it in a causal model: no mask needed.
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    for row, reading in enumerate(batch):
        ids[row, : reading.length] = torch.tensor([*reading.prompt_ids, *reading.answer_ids])
    embeddings: Any = model.get_input_embeddings()
    ids = ids.to(embeddings.weight.device)
    if "logits_to_keep" in inspect.signature(model.forward).parameters:
        logits: Tensor = model(ids, use_cache=False, logits_to_keep=kept).logits
    else:
        logits = model(ids, use_cache=False).logits[:, -kept:]
    return logits, longest - kept


def _rank(logits: Tensor, tokens: Sequence[int], field_name: str) -> tuple[list[int], list[float]]:
    """Ranks and probabilities of n tokens whose predictions are ``logits`` (n, V)."""
    ranks: list[int] = []
    probabilities: list[float] = []
    numbers = torch.arange(logits.shape[-1], device=logits.device)
    for start in range(0, len(tokens), _POSITIONS):
        part = logits[start : start + _POSITIONS].float()
        chosen = torch.tensor(tokens[start : start + _POSITIONS], device=part.device).unsqueeze(1)
        own = part.gather(1, chosen)
        if torch.isnan(part).any():
            raise nan_logits(field_name)
        before = (part > own) | ((part == own) & (numbers < chosen))
        ranks += (before.sum(1) + 1).tolist()
        probabilities += torch.softmax(part, -1).gather(1, chosen).squeeze(1).tolist()
    return ranks, probabilities


def _judge(head: JudgeHead, layers: Sequence[Tensor]) -> list[float]:
    """Probabilities at n tokens, from the outputs (n, H) of each layer that the head reads."""
    device = layers[-1].device
    if head.device != device:
        head.to(device)
    states = torch.stack([one.to(device) for one in layers], 1) if len(layers) > 1 else layers[0]
    # As in decoding: in float32 the sigmoid of a sure "no" would be 0.
    probabilities: list[float] = head(states).double().sigmoid().tolist()
    return probabilities
