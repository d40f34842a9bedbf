"""Plain decoding, one token a forward: what speculative decoding is compared with."""

from __future__ import annotations

from math import isnan
from time import perf_counter

import torch
from torch import Tensor
from transformers import PreTrainedModel

from judge_lightning.decoding.cached_model import input_device
from judge_lightning.decoding.engine import Engine, make_engine
from judge_lightning.decoding.request import (
    PLAIN,
    EosTokens,
    Extras,
    Request,
    distribution,
    draw,
    make_request,
    nan_logits,
)
from judge_lightning.decoding.trace import Cycle, DecodeOutput, Trace


class AutoregressiveDecoder:
    """Decodes with one model alone: the target's or the draft's baseline.

    Args:
        model: Any causal LM of transformers, on any device or sharded.
        engine: That of ``SpeculativeDecoder``.

    Raises:
        UserError: The engine cannot run this model.
    """

    def __init__(self, model: PreTrainedModel, engine: str | Engine = "eager") -> None:
        self.model = model
        self.engine = make_engine(engine)
        self.engine.admit_alone(model)

    def generate(
        self,
        input_ids: Tensor,
        max_new_tokens: int,
        eos_token_id: EosTokens = None,
        temperature: float = 0.0,
        generator: torch.Generator | None = None,
        *,
        extras: Extras = PLAIN,
    ) -> DecodeOutput:
        """Answers one prompt; every token is a cycle without proposals.

        The arguments are those of ``SpeculativeDecoder.generate``.
        """
        request = make_request(
            self.model,
            input_ids,
            max_new_tokens,
            eos_token_id,
            temperature=temperature,
            generator=generator,
            extras=extras,
        )
        with torch.inference_mode():
            self.engine.prepare_alone(self.model, request)
            trace = self._decode(request)
        return DecodeOutput(torch.cat((input_ids, input_ids.new_tensor([trace.tokens])), 1), trace)

    def _decode(self, request: Request) -> Trace:
        trace = Trace()
        tokens = request.prompt.to(input_device(self.model))
        answer = tokens.new_empty((1, request.end))
        answer[:, : tokens.shape[1]] = tokens
        started = perf_counter()
        with self.engine.monologue(self.model, request) as monologue:
            for n in range(request.prompt.shape[1], request.end):
                logits = request.processed(answer[:, :n], monologue.read(tokens))  # (1, V)
                if request.temperature > 0:
                    p = distribution(logits, request.temperature)
                    peak, tokens = p[:, :1], draw(p, request.generator).unsqueeze(0)
                else:
                    peak, tokens = logits.max(-1, keepdim=True)
                token = int(tokens)
                answer[0, n] = token
                if isnan(peak):
                    problem = f"{type(self.model).__name__} gives logits that are NaN"
                    raise nan_logits("pair", problem)
                ended = perf_counter()
                trace.cycles.append(Cycle([], 0, [], None, token, ended - started))
                started = ended
                request.stream([token])
                if token in request.stops or request.stopped_after(answer, n, 1) is not None:
                    break
        return trace
