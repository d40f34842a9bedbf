"""Speculative decoding: the draft proposes a block, the target reads it once, a rule decides."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from judge_lightning.decoding.cached_model import CachedModel, input_device
from judge_lightning.decoding.request import (
    EosTokens,
    check_request,
    distribution,
    draw,
    final_length,
    longest_sequence,
    stop_tokens,
    vocabulary_size,
)
from judge_lightning.decoding.trace import Cycle, DecodeOutput, Trace
from judge_lightning.decoding.verifiers.verdict import Block, Verdict, Verifier
from judge_lightning.errors import UserError
from judge_lightning.models.hidden_states import HiddenStateTap


@dataclass(frozen=True, slots=True)
class _Request:
    """One call of ``generate``: where it ends and how its tokens are drawn."""

    end: int
    stops: frozenset[int]
    temperature: float
    generator: torch.Generator | None


class SpeculativeDecoder:
    """Decodes with a draft, a target and an acceptance rule (arXiv 2211.17192, 2501.19309).

    Args:
        target: Any causal LM of transformers, on any device or sharded.
        draft: A smaller one with the same tokenizer.
        verifier: ``Exact()`` or ``Judge(head)``.
        draft_length: M, the number of tokens proposed per cycle.

    Raises:
        UserError: The draft length is below 1, or the judge does not fit the target.
    """

    def __init__(
        self, target: PreTrainedModel, draft: PreTrainedModel, verifier: Verifier, draft_length: int
    ) -> None:
        if draft_length < 1:
            raise UserError("engine.draft_length", f"is {draft_length}", "propose at least one")
        verifier.check_target(target)
        self.target = target
        self.draft = draft
        self.verifier = verifier
        self.draft_length = draft_length
        self._device = input_device(target)
        self._looks_are_free = self._device.type == "cpu"
        self._draft_positions = longest_sequence(draft)
        self._vocabulary = vocabulary_size(target)

    def generate(
        self,
        input_ids: Tensor,
        max_new_tokens: int,
        eos_token_id: EosTokens = None,
        temperature: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> DecodeOutput:
        """Answers one prompt.

        Ends after an EOS token (kept in the output), after ``max_new_tokens``, or where the
        target's positions end.

        Args:
            input_ids: The prompt, (1, T) long.
            max_new_tokens: At most this many tokens are added.
            eos_token_id: One or more tokens that end the answer; None takes the target's
                generation config's, an empty sequence none.
            temperature: 0 is greedy.
            generator: The source of randomness when sampling, on the target's device.

        Raises:
            UserError: A prompt of another shape, or longer than the target's positions.
        """
        check_request(input_ids, max_new_tokens, temperature)
        request = _Request(
            final_length(self.target, input_ids.shape[1], max_new_tokens),
            stop_tokens(self.target, eos_token_id),
            temperature,
            generator,
        )
        with torch.inference_mode():
            trace = self._decode(input_ids, request)
        return DecodeOutput(torch.cat((input_ids, input_ids.new_tensor([trace.tokens])), 1), trace)

    def _decode(self, input_ids: Tensor, request: _Request) -> Trace:
        """The cycles. ``n`` tokens are decided; M are proposed after them, in one buffer."""
        target, draft = CachedModel(self.target), CachedModel(self.draft)
        trace = Trace(threshold=self.verifier.threshold)
        n = input_ids.shape[1]
        tokens = torch.empty((1, request.end), dtype=torch.long, device=self._device)
        tokens[:, :n] = input_ids
        layer = self.verifier.layer
        with nullcontext() if layer is None else HiddenStateTap(self.target, [layer]) as tap:
            while n < request.end:
                started = perf_counter()
                m, q = self._propose(draft, tokens, n, request)
                logits = target.read(tokens[:, target.length : n + m], keep=m + 1)  # (M + 1, V)
                # What was read ends in the last decided token and the M proposed ones.
                e = tap.states[layer][0, -m - 1 :][1:] if tap and layer is not None else None
                block = Block(tokens[0, n : n + m], logits, e, request.temperature, q)
                verdict = self.verifier.verdict(block, request.generator)
                cycle = _cycle(verdict, request.stops)
                n += cycle.accepted
                target.forget_after(n)
                draft.forget_after(n)
                if cycle.next_token is not None:
                    tokens[0, n] = cycle.next_token
                    n += 1
                trace.cycles.append(cycle)
                cycle.seconds = perf_counter() - started
                if cycle.next_token is None or cycle.next_token in request.stops:
                    break
        return trace

    def _propose(
        self, draft: CachedModel, tokens: Tensor, n: int, request: _Request
    ) -> tuple[int, Tensor | None]:
        """Writes the draft's next tokens behind the ``n`` decided ones.

        Leaves room for the target's own token. Returns how many were proposed and, when
        sampling, what they were drawn from (M, V).
        """
        m = max(0, min(self.draft_length, request.end - n - 1, self._draft_positions - n + 1))
        rows: list[Tensor] = []
        for i in range(n, n + m):
            # A cycle's first read also takes in what the target wrote since the last one.
            logits = draft.read(tokens[:, draft.length : i], keep=1)[:, : self._vocabulary]
            if request.temperature > 0:
                rows.append(distribution(logits, request.temperature))
                tokens[:, i] = draw(rows[-1], request.generator)
            else:
                tokens[:, i] = logits.argmax(-1)
            # Elsewhere than on the CPU a look at the token would wait for the device.
            if self._looks_are_free and int(tokens[0, i]) in request.stops:
                m = i - n + 1
                break
        return m, self._as_wide_as_target(rows) if request.temperature > 0 else None

    def _as_wide_as_target(self, rows: list[Tensor]) -> Tensor:
        """Stacks draft probabilities; a draft with fewer padding ids never draws the others."""
        if not rows:
            return torch.empty((0, self._vocabulary), device=self._device)
        q = torch.cat(rows).to(self._device)
        return nn.functional.pad(q, (0, self._vocabulary - q.shape[1]))


def _cycle(verdict: Verdict, stops: frozenset[int]) -> Cycle:
    """The verdict as a cycle, which ends at a proposed EOS: nothing counts behind it."""
    through = next((i + 1 for i, t in enumerate(verdict.proposed) if t in stops), None)
    ended = through is not None and verdict.accepted >= through
    return Cycle(
        proposed=verdict.proposed[:through],
        accepted=through if through is not None and ended else verdict.accepted,
        standard=verdict.standard[:through],
        judge=None if verdict.judge is None else verdict.judge[:through],
        next_token=None if ended else verdict.next_token,
    )
