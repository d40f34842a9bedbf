"""What a decoder is asked for: a checked prompt, where it ends, and how tokens are drawn."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import LogitsProcessorList, PreTrainedModel, StoppingCriteriaList

from judge_lightning.errors import UserError

EosTokens = int | Sequence[int] | None


class Streamer(Protocol):
    """What transformers' streamers have in common."""

    def put(self, value: Tensor) -> None:
        """Takes the next tokens (k,) long, on the CPU."""

    def end(self) -> None:
        """The answer is complete."""


@dataclass(frozen=True, slots=True)
class Extras:
    """What transformers adds to a request: objects of its own kinds.

    Attributes:
        logits_processor: Changes the logits of target and draft alike before a token is chosen
            or drawn (repetition penalty, top-k, top-p ...).
        stopping_criteria: Asked after every single token, as ``generate`` does.
        streamer: Is given the tokens of every cycle.
    """

    logits_processor: LogitsProcessorList = field(default_factory=LogitsProcessorList)
    stopping_criteria: StoppingCriteriaList = field(default_factory=StoppingCriteriaList)
    streamer: Streamer | None = None


PLAIN = Extras()


@dataclass(frozen=True, slots=True)
class Request:
    """One call of ``generate``: its prompt (1, T) long, the length at which it ends at the
    latest, the tokens that end it before, and how its tokens are drawn (0 is greedy)."""

    prompt: Tensor
    end: int
    stops: frozenset[int]
    temperature: float
    generator: torch.Generator | None
    extras: Extras = PLAIN

    def processed(self, prefix: Tensor, logits: Tensor) -> Tensor:
        """Logits (k, V) as the processors want them.

        ``prefix`` (1, L) holds what comes before the last row's token; the row before sees one
        token less, and so on.
        """
        if not self.extras.logits_processor:
            return logits
        first = prefix.shape[1] - len(logits) + 1
        # Processors are made for float32 and may write into what they are given.
        process: Any = self.extras.logits_processor
        rows = [
            process(prefix[:, : first + i], row.float().clone())
            for i, row in enumerate(logits.unsqueeze(1))
        ]
        return torch.cat(rows)

    def stopped_after(self, tokens: Tensor, n: int, added: int) -> int | None:
        """How many of ``added`` tokens behind the first ``n`` the stopping criteria let stand.

        None when they let the answer go on.
        """
        if not self.extras.stopping_criteria:
            return None
        for count in range(1, added + 1):
            scores: Any = None
            if bool(self.extras.stopping_criteria(tokens[:, : n + count], scores).all()):
                return count
        return None

    def stream(self, tokens: Sequence[int]) -> None:
        """Hands the next tokens on."""
        if self.extras.streamer is not None and tokens:
            self.extras.streamer.put(torch.tensor(tokens))


def make_request(
    model: PreTrainedModel,
    input_ids: Tensor,
    max_new_tokens: int,
    eos_token_id: EosTokens,
    *,
    temperature: float,
    generator: torch.Generator | None,
    extras: Extras = PLAIN,
    vocabulary: int | None = None,
) -> Request:
    """Checks what ``generate`` was given; ``model`` is the one whose answer it is.

    ``vocabulary`` is the number of ids that all models that read the prompt know, None for the
    model's own.

    Raises:
        UserError: A prompt of another shape, with an id that a model does not know, or longer
            than the model's positions, or a limit or temperature that makes no sense.
    """
    check_request(input_ids, max_new_tokens, temperature)
    _check_ids(input_ids, vocabulary_size(model) if vocabulary is None else vocabulary)
    return Request(
        input_ids,
        final_length(model, input_ids.shape[1], max_new_tokens),
        stop_tokens(model, eos_token_id),
        temperature,
        generator,
        extras,
    )


def check_request(input_ids: Tensor, max_new_tokens: int, temperature: float) -> None:
    """Raises UserError for a prompt that is not (1, T) long with T > 0, or a negative number."""
    if input_ids.dim() != 2 or input_ids.shape[0] != 1 or input_ids.shape[1] == 0:
        raise UserError(
            "input_ids",
            f"has shape {tuple(input_ids.shape)}",
            "give one prompt of at least one token, shape (1, T)",
        )
    if input_ids.dtype != torch.long:
        raise UserError("input_ids", f"is {input_ids.dtype}", "give token ids as torch.long")
    if max_new_tokens < 1:
        raise UserError("max_new_tokens", f"is {max_new_tokens}", "ask for at least one token")
    if temperature < 0:
        raise UserError("temperature", f"is {temperature}", "give 0 (greedy) or more")


def _check_ids(input_ids: Tensor, vocabulary: int) -> None:
    """Raises UserError for a token without an embedding, which a GPU would not survive."""
    lowest, highest = torch.stack(input_ids.aminmax()).tolist()
    if lowest < 0 or highest >= vocabulary:
        raise UserError(
            "input_ids",
            f"holds the id {lowest if lowest < 0 else highest},"
            f" the vocabulary ends at {vocabulary - 1}",
            "use the tokenizer of these models",
        )


def longest_sequence(model: PreTrainedModel) -> int:
    """How many positions a model has; practically endless where its config names no limit."""
    config: Any = model.config
    text_config = config.get_text_config(decoder=True)
    return getattr(text_config, "max_position_embeddings", None) or sys.maxsize


def room_for_proposals(draft: PreTrainedModel, draft_length: int, n: int, end: int) -> int:
    """How many tokens may be proposed behind ``n`` decided ones, 0 to ``draft_length``.

    The target's own token needs a place before ``end``, and the draft reads all but the last
    proposal within its positions.
    """
    return max(0, min(draft_length, end - n - 1, longest_sequence(draft) - n + 1))


def vocabulary_size(model: PreTrainedModel) -> int:
    """How many logits a model gives, the padding ids of some checkpoints included."""
    config: Any = model.config
    return int(config.get_text_config(decoder=True).vocab_size)


def final_length(model: PreTrainedModel, prompt_length: int, max_new_tokens: int) -> int:
    """The length at which decoding ends at the latest, prompt included.

    Raises:
        UserError: The prompt alone fills the model's positions.
    """
    longest = longest_sequence(model)
    if prompt_length >= longest:
        raise UserError(
            "input_ids",
            f"has {prompt_length} tokens, the target has {longest} positions",
            "shorten the prompt",
        )
    return min(prompt_length + max_new_tokens, longest)


def stop_tokens(model: PreTrainedModel, eos_token_id: EosTokens) -> frozenset[int]:
    """The tokens that end an answer: those given, or the model's generation config's."""
    if eos_token_id is None:
        config: Any = getattr(model, "generation_config", None) or model.config
        eos_token_id = config.eos_token_id
    if eos_token_id is None:
        return frozenset()
    return frozenset([eos_token_id] if isinstance(eos_token_id, int) else eos_token_id)


def distribution(logits: Tensor, temperature: float) -> Tensor:
    """Probabilities (n, V) float32 of logits (n, V) at a temperature above 0."""
    return torch.softmax(logits.float() / temperature, dim=-1)


def draw(probabilities: Tensor, generator: torch.Generator | None) -> Tensor:
    """One token (n,) out of each row of weights (n, V).

    Out of a row of NaN any token, because looking for NaN would wait for the device: who draws
    looks for it where he waits anyway.
    """
    return torch.multinomial(probabilities.nan_to_num(1.0), 1, generator=generator).squeeze(1)


def nan_logits(field: str, problem: str = "its logits are NaN") -> UserError:
    """The error for a model that gives NaN."""
    remedy = "load it in float32 or bfloat16, without quantization, and check its files"
    return UserError(field, problem, remedy)
