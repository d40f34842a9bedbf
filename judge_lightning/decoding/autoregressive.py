"""Plain decoding, one token a forward: what speculative decoding is compared with."""

from __future__ import annotations

from time import perf_counter

import torch
from torch import Tensor
from transformers import PreTrainedModel

from judge_lightning.decoding.cached_model import CachedModel, input_device
from judge_lightning.decoding.request import (
    EosTokens,
    check_request,
    distribution,
    draw,
    final_length,
    stop_tokens,
)
from judge_lightning.decoding.trace import Cycle, DecodeOutput, Trace


class AutoregressiveDecoder:
    """Decodes with one model alone: the target's or the draft's baseline."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model

    def generate(
        self,
        input_ids: Tensor,
        max_new_tokens: int,
        eos_token_id: EosTokens = None,
        temperature: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> DecodeOutput:
        """Answers one prompt; every token is a cycle without proposals.

        The arguments are those of ``SpeculativeDecoder.generate``.
        """
        check_request(input_ids, max_new_tokens, temperature)
        end = final_length(self.model, input_ids.shape[1], max_new_tokens)
        stops = stop_tokens(self.model, eos_token_id)
        with torch.inference_mode():
            trace = self._decode(input_ids, end, stops, temperature, generator)
        return DecodeOutput(torch.cat((input_ids, input_ids.new_tensor([trace.tokens])), 1), trace)

    def _decode(
        self,
        input_ids: Tensor,
        end: int,
        stops: frozenset[int],
        temperature: float,
        generator: torch.Generator | None,
    ) -> Trace:
        model = CachedModel(self.model)
        tokens = input_ids.to(input_device(self.model))
        trace = Trace()
        for _ in range(end - input_ids.shape[1]):
            started = perf_counter()
            logits = model.read(tokens, keep=1)
            if temperature > 0:
                tokens = draw(distribution(logits, temperature), generator).unsqueeze(0)
            else:
                tokens = logits.argmax(-1, keepdim=True)
            model.forget_after(model.length)
            token = int(tokens)
            trace.cycles.append(Cycle([], 0, [], None, token, perf_counter() - started))
            if token in stops:
                break
        return trace
