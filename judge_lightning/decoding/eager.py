"""The eager engine: plain PyTorch and dynamic caches, for every model, greedy or sampling."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from math import isnan

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from judge_lightning.decoding.cached_model import CachedModel, croppable_cache, input_device
from judge_lightning.decoding.draft_length import Pace
from judge_lightning.decoding.engine import Roles
from judge_lightning.decoding.request import (
    Request,
    distribution,
    draw,
    longest_sequence,
    nan_logits,
    room_for_proposals,
    vocabulary_size,
)
from judge_lightning.models.hidden_states import HiddenStateTap


class EagerEngine:
    """Holds nothing between answers. ``looks_are_free`` None: a look is free on the CPU."""

    compile_seconds = 0.0

    def __init__(self, looks_are_free: bool | None = None) -> None:
        self._looks_are_free = looks_are_free

    def reserve(self, longest: int) -> None:
        """Dynamic caches grow by themselves."""

    def admit(self, roles: Roles) -> None:
        """Raises UserError for a model without a cache that can be rolled back."""
        self.admit_alone(roles.target)
        self.admit_alone(roles.draft)

    def admit_alone(self, model: PreTrainedModel) -> None:
        """Raises UserError for a model without a cache that can be rolled back."""
        croppable_cache(model)

    def prepare(self, roles: Roles, request: Request) -> None:
        """Nothing is made ahead."""

    def prepare_alone(self, model: PreTrainedModel, request: Request) -> None:
        """Nothing is made ahead."""

    @contextmanager
    def speculate(self, roles: Roles, request: Request) -> Iterator[EagerSpeculation]:
        """Starts one answer; the hooks on what the verifier reads go with it."""
        free = input_device(roles.target).type == "cpu"
        if self._looks_are_free is not None:
            free = self._looks_are_free
        tap = HiddenStateTap(roles.target, roles.layers) if roles.layers else None
        draft_tap = HiddenStateTap(roles.draft, [-1]) if roles.reads_draft_states else None
        with ExitStack() as hooks:
            for one in (tap, draft_tap):
                if one is not None:
                    hooks.enter_context(one)
            yield EagerSpeculation(roles, request, tap, draft_tap, free)

    @contextmanager
    def monologue(self, model: PreTrainedModel, request: Request) -> Iterator[EagerMonologue]:
        """Starts one answer of a model alone."""
        yield EagerMonologue(model)


class EagerSpeculation:
    """``Speculation`` over two dynamic caches."""

    def __init__(
        self,
        roles: Roles,
        request: Request,
        tap: HiddenStateTap | None,
        draft_tap: HiddenStateTap | None,
        looks_are_free: bool,
    ) -> None:
        device = input_device(roles.target)
        self.tokens = torch.empty((1, request.end), dtype=torch.long, device=device)
        self.tokens[:, : request.prompt.shape[1]] = request.prompt
        self._target, self._draft = CachedModel(roles.target), CachedModel(roles.draft)
        self._roles = roles
        self._request = request
        self._tap = tap
        self._draft_tap = draft_tap
        self._draft_states: list[Tensor] = []
        self._looks_are_free = looks_are_free
        self._vocabulary = vocabulary_size(roles.target)
        self._draft_is_wider = vocabulary_size(roles.draft) > self._vocabulary
        self._peaks: list[Tensor] = []

    def propose(self, n: int, pace: Pace | None = None) -> tuple[int, Tensor | None]:
        """A cycle's first read also takes in what the target wrote since the last one."""
        tokens, draft, request = self.tokens, self._draft, self._request
        m = room_for_proposals(self._roles.draft, self._roles.draft_length, n, request.end)
        if self._draft_tap is not None:  # The draft then reads its last proposal too.
            m = min(m, longest_sequence(self._roles.draft) - n)
        self._draft_states.clear()
        rows: list[Tensor] = []
        keeps_rows = request.temperature > 0 or self._roles.reads_draft
        unseen: list[Tensor] = []
        self._peaks.clear()
        token = tokens[:, draft.length : n]
        for i in range(n, n + m):
            logits = draft.read(token, keep=1)
            self._keep_draft_state()
            if self._draft_is_wider:
                logits = logits[:, : self._vocabulary]
            if request.extras.logits_processor:
                logits = request.processed(tokens[:, :i], logits)
            if keeps_rows:
                rows.append(distribution(logits, request.temperature or 1.0))
            peak, token = self._chosen(logits, rows)
            self._peaks.append(peak)
            tokens[:, i : i + 1] = token
            if pace is not None:
                if request.temperature > 0:
                    unseen.append(rows[-1].gather(1, token)[0])
                else:
                    unseen.append(logits.float().softmax(-1).amax(-1))
            count = i - n + 1
            # Elsewhere than on the CPU a look at the token would wait for the device.
            if self._looks_are_free and token.item() in request.stops:
                m = count
                break
            # So would this one, which is why it is for several tokens at once.
            if pace is not None and count % pace.every == 0:
                ends = pace.watch(torch.cat(unseen).tolist())
                unseen.clear()
                if ends is not None:
                    m = ends
                    break
        if pace is not None and unseen:
            pace.watch(torch.cat(unseen).tolist())
        # A pace may end a block before tokens that are already drafted.
        return m, self._as_wide_as_target(rows[:m]) if keeps_rows else None

    def verify(self, n: int, m: int) -> tuple[Tensor, Tensor | None]:
        """The first read takes in the prompt too; it ends in the same m + 1 tokens."""
        logits = self._target.read(self.tokens[:, self._target.length : n + m], keep=m + 1)
        if self._tap is None:
            return logits, None
        states = [self._tap.states[layer][0, -m - 1 :][1:] for layer in self._roles.layers]
        # Layers of a sharded target may be on several devices.
        several = [state.to(logits.device) for state in states[1:]]
        return logits, torch.stack(
            [states[0].to(logits.device), *several], 1
        ) if several else states[0]

    def draft_states(self, n: int, m: int) -> Tensor | None:
        """The last proposal's is read now: one draft pass, that the next cycle is spared if the
        block is kept whole."""
        if self._draft_tap is None:
            return None
        # The first read ended in the last decided token, so the states behind it are one later.
        if m and len(self._draft_states) == m:
            self._draft.read(self.tokens[:, n + m - 1 : n + m], keep=1)
            self._keep_draft_state()
        if not m:
            width = self._roles.draft.config.get_text_config(decoder=True).hidden_size
            return torch.empty((0, width), device=self.tokens.device)
        return torch.cat(self._draft_states[1 : m + 1]).to(self.tokens.device)

    def forget_after(self, n: int) -> None:
        """Crops both caches. The verdict has waited for the device, so a look is free by now."""
        if self._peaks and isnan(torch.cat(self._peaks).amax()):
            raise nan_logits("pair.draft")
        self._target.forget_after(n)
        self._draft.forget_after(n)

    def _keep_draft_state(self) -> None:
        if self._draft_tap is not None:
            self._draft_states.append(self._draft_tap.states[-1][0, -1:])

    def _chosen(self, logits: Tensor, rows: list[Tensor]) -> tuple[Tensor, Tensor]:
        """A number that is NaN where the draft is, and its token; both (1, 1)."""
        if self._request.temperature > 0:
            return rows[-1][:, :1], draw(rows[-1], self._request.generator).unsqueeze(1)
        peak, token = logits.max(-1, keepdim=True)
        return peak, token

    def _as_wide_as_target(self, rows: list[Tensor]) -> Tensor:
        """Stacks draft probabilities; a draft with fewer padding ids never draws the others."""
        if not rows:
            return torch.empty((0, self._vocabulary), device=self.tokens.device)
        q = torch.cat(rows).to(self.tokens.device)
        return nn.functional.pad(q, (0, self._vocabulary - q.shape[1]))


class EagerMonologue:
    """``Monologue`` over a dynamic cache."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = CachedModel(model)

    def read(self, tokens: Tensor) -> Tensor:
        """Nothing is ever rolled back, but sliding layers drop what left their window."""
        logits = self._model.read(tokens, keep=1)
        self._model.forget_after(self._model.length)
        return logits
