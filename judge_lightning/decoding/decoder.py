"""Speculative decoding: the draft proposes a block, the target reads it once, a rule decides."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter

import torch
from torch import Tensor
from transformers import PreTrainedModel

from judge_lightning.decoding.cycle_clock import CycleClock
from judge_lightning.decoding.draft_length import DraftLength, as_draft_length
from judge_lightning.decoding.engine import Engine, Roles, make_engine
from judge_lightning.decoding.request import (
    PLAIN,
    EosTokens,
    Extras,
    Request,
    make_request,
    vocabulary_size,
)
from judge_lightning.decoding.trace import Cycle, DecodeOutput, Trace
from judge_lightning.decoding.verifiers.verdict import Block, Verdict, Verifier
from judge_lightning.models.vocabulary import check_padding
from judge_lightning.shift import ShiftWatch


class SpeculativeDecoder:
    """Decodes with a draft, a target and an acceptance rule (arXiv 2211.17192, 2501.19309).

    Args:
        target: Any causal LM of transformers, on any device or sharded.
        draft: A smaller one with the same tokenizer.
        verifier: ``Exact()``, ``Judge(head)`` or another rule of ``verifiers/``.
        draft_length: M, the number of tokens proposed per cycle; ``auto`` ends a block where it
            is not worth going on; or a policy of ``draft_length.py``.
        engine: ``eager``, ``compiled`` (docs/architecture.md tells them apart), or an engine
            that several decoders share.
        watch: Scores how unlike the judge's training data each answer is, from the embeddings and
            logits that the verifier reads anyway; its layer is the last that the verifier reads.

    Raises:
        UserError: The draft length is below 1 or unknown, the judge does not fit the target, the
            models have different vocabularies, or the engine cannot run them.
    """

    def __init__(
        self,
        target: PreTrainedModel,
        draft: PreTrainedModel,
        verifier: Verifier,
        draft_length: int | str | DraftLength,
        engine: str | Engine = "eager",
        *,
        watch: ShiftWatch | None = None,
    ) -> None:
        verifier.check_target(target)
        verifier.check_draft(draft)
        rows = [vocabulary_size(model) for model in (target, draft)]
        check_padding(*rows)
        self.target = target
        self.draft = draft
        self.verifier = verifier
        self.watch = watch
        self.draft_length = as_draft_length(draft_length)
        self.engine = make_engine(engine)
        self._vocabulary = min(rows)
        self.roles = Roles(
            target,
            draft,
            self.draft_length.longest,
            verifier.layers,
            adaptive=self.draft_length.adaptive,
            reads_draft=verifier.reads_draft,
            reads_draft_states=verifier.reads_draft_states,
        )
        self.engine.admit(self.roles)

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
            extras: Logits processors, stopping criteria and a streamer of transformers.

        Raises:
            UserError: A prompt of another shape, or longer than the target's positions, or a
                temperature that the engine cannot serve.
        """
        request = make_request(
            self.target,
            input_ids,
            max_new_tokens,
            eos_token_id,
            temperature=temperature,
            generator=generator,
            extras=extras,
            vocabulary=self._vocabulary,
        )
        with torch.inference_mode():
            self.engine.prepare(self.roles, request)
            trace = self._decode(request)
        return DecodeOutput(torch.cat((input_ids, input_ids.new_tensor([trace.tokens])), 1), trace)

    def _decode(self, request: Request) -> Trace:
        """The cycles. ``n`` tokens are decided; m are proposed after them, in one buffer."""
        trace = Trace(threshold=self.verifier.threshold)
        watch = self.watch
        if watch is not None:
            watch.start()
        pace = self.draft_length.start()
        n = request.prompt.shape[1]
        started = perf_counter()
        with self.engine.speculate(self.roles, request) as speculation:
            tokens = speculation.tokens
            clock = CycleClock(tokens.device)
            while n < request.end:
                clock.mark()
                m, q = speculation.propose(n, pace)
                d = speculation.draft_states(n, m) if self.roles.reads_draft_states else None
                clock.mark()
                own_logits, e = speculation.verify(n, m)  # (m + 1, V), (m, H) or (m, L, H)
                clock.mark()
                logits = request.processed(tokens[:, : n + m], own_logits)
                block = Block(tokens[0, n : n + m], logits, e, request.temperature, q, d)
                verdict = self.verifier.verdict(block, request.generator)
                clock.mark()
                tokens[0, n + verdict.accepted] = verdict.next_token
                cycle = _cycle(verdict, request.stops)
                if pace is not None:
                    pace.learn(_kept(verdict, cycle, trace.threshold))
                stopped = request.stopped_after(tokens, n, len(cycle.tokens))
                cycle = cycle if stopped is None else _cut(cycle, stopped)
                if watch is not None and e is not None:
                    a = cycle.accepted
                    read = e[:a] if e.ndim == 2 else e[:a, -1]
                    watch.add(read, own_logits[:a], tokens[0, n : n + a])
                n += cycle.accepted
                speculation.forget_after(n)
                n += cycle.next_token is not None
                request.stream(cycle.tokens)
                trace.cycles.append(cycle)
                ended = perf_counter()
                cycle.seconds, started = ended - started, ended
                last = cycle.next_token
                if stopped is not None or last is None or last in request.stops:
                    break
        clock.share_out(trace.cycles)
        if watch is not None:
            trace.shift = watch.score()
        return trace


def _kept(verdict: Verdict, cycle: Cycle, threshold: float | None) -> list[bool]:
    """What the rule says to each proposed token, as if nothing had been rejected before it."""
    if verdict.kept is not None:
        return verdict.kept[: len(cycle.proposed)]
    judge = cycle.judge
    if judge is None or threshold is None:
        return cycle.standard
    return [
        kept or probability > threshold
        for kept, probability in zip(cycle.standard, judge, strict=True)
    ]


def _cut(cycle: Cycle, count: int) -> Cycle:
    """The cycle with its first ``count`` tokens."""
    if count > cycle.accepted:
        return cycle
    return replace(cycle, accepted=count, next_token=None)


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
