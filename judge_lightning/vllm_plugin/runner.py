"""The judge in vLLM's model runner (V1): which states it sees, and where its opinion goes.

execute_model   the target's forward; its blocks' outputs come along, as EAGLE-3 has them
sample_tokens   the head reads them at every draft token's own row
rejection       logits of tokens that it keeps become one-hots (verdicts.py)
"""

from __future__ import annotations

import time
from functools import wraps
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from judge_lightning.errors import UserError
from judge_lightning.heads import JudgeHead
from judge_lightning.vllm_plugin.record import Record
from judge_lightning.vllm_plugin.requests import threshold_of
from judge_lightning.vllm_plugin.settings import JudgeSettings
from judge_lightning.vllm_plugin.verdicts import Layout, Opinion, count

_DRAIN_SECONDS = 0.5
"""On a GPU, how long counts stay there: reading them waits for the device."""


class Bench:
    """The judge of one model runner, and what it says of the batch that is being sampled."""

    def __init__(self, settings: JudgeSettings) -> None:
        self.head = JudgeHead.from_pretrained(settings.path)
        config = self.head.config
        self.threshold = config.threshold if settings.threshold is None else settings.threshold
        self.record = Record(Path(settings.record)) if settings.record else None
        self.opinion: Opinion | None = None
        self._layout: Layout | None = None
        self._requests: list[str] = []
        self._counts: Tensor | None = None
        self._drained = 0.0

    @property
    def layers(self) -> tuple[int, ...]:
        """The states to ask the target for, as vLLM counts them: 0 is the embedding's output."""
        return tuple(layer + 1 for layer in self.head.layers_read)

    def look(self, runner: Any, state: Any) -> None:
        """Forms the opinion on the draft tokens of a batch (``ExecuteModelState``)."""
        metadata = state.spec_decode_metadata
        # The row after the one that predicts a draft token is the token's own position.
        rows = metadata.logits_indices[metadata.target_logits_indices + 1]
        self._requests = runner.input_batch.req_ids[: len(metadata.num_draft_tokens)]
        self._layout = Layout.of(metadata.num_draft_tokens, rows.device)
        thresholds = torch.tensor(
            [
                threshold_of(_arguments(runner.requests[name]), self.threshold)
                for name in self._requests
            ],
            dtype=torch.float64,
        ).to(rows.device)
        self.opinion = Opinion.of(
            self.head,
            self._states(state, rows),
            metadata.draft_token_ids,
            thresholds[self._layout.request],
        )

    def _states(self, state: Any, rows: Tensor) -> Tensor:
        states = [layer[rows] for layer in state.aux_hidden_states]
        if len(states) != len(self.layers):
            raise RuntimeError(f"the target gave {len(states)} states for {self.layers}")
        return torch.stack(states, 1) if self.head.several_layers else states[0]

    def decide(self, original: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Tensor:
        """vLLM's ``rejection_sample`` on logits that know the judge's opinion."""
        opinion, self.opinion = self.opinion, None
        if opinion is None:
            return original(*arguments, **named)
        draft_probabilities, logits, _, metadata = arguments[4:]
        if metadata.max_num_logprobs is not None:
            logits = logits.clone()  # What is reported stays the target's own.
        greedy = None
        assert self._layout is not None
        if not metadata.all_greedy:
            greedy = (metadata.temperature == 0)[self._layout.request]
        opinion.overrule(logits, draft_probabilities, greedy)
        output: Tensor = original(*arguments[:5], logits, *arguments[6:], **named)
        accepted = (output != -1).sum(1) - 1
        counts = count(opinion, self._layout, accepted)
        self._counts = counts if self._counts is None else self._counts + counts
        if self.record is not None:
            self.record.write(self._requests, self._layout, opinion, accepted)
        return output

    def drain(self) -> tuple[float, ...] | None:
        """The counts since the last drain, where there are any and it is time."""
        if self._counts is None:
            return None
        now = time.monotonic()
        if self._counts.device.type != "cpu" and now - self._drained < _DRAIN_SECONDS:
            return None
        self._drained = now
        counts, self._counts = self._counts, None
        return tuple(counts.tolist())


def _arguments(request: Any) -> dict[str, Any] | None:
    parameters = request.sampling_params
    return None if parameters is None else parameters.extra_args


def install() -> None:
    """Puts the judge into every model runner whose configuration names one."""
    from vllm.v1.sample import rejection_sampler as sampling
    from vllm.v1.worker import gpu_model_runner as running

    runner_class, original_rejection = running.GPUModelRunner, sampling.rejection_sample
    if hasattr(runner_class, "judge_bench"):
        return
    runner_class.judge_bench = None

    class JudgeRejectionSampler(sampling.RejectionSampler):
        """vLLM's, which tells the judge what hard constraints forbid."""

        judge_bench: Bench

        def apply_logits_processors(self, logits: Tensor, *arguments: Any, **named: Any) -> Tensor:
            processed: Tensor = super().apply_logits_processors(logits, *arguments, **named)
            if self.judge_bench.opinion is not None:
                self.judge_bench.opinion.note_allowed(processed)
            return processed

        def forward(self, *arguments: Any, **named: Any) -> Any:
            _deciding.append(self.judge_bench)
            try:
                return super().forward(*arguments, **named)
            finally:
                _deciding.pop()

    @wraps(original_rejection)
    def rejection_sample(*arguments: Any, **named: Any) -> Tensor:
        if not _deciding:
            return original_rejection(*arguments, **named)
        return _deciding[-1].decide(original_rejection, arguments, named)

    sampling.rejection_sample = rejection_sample
    _wrap(runner_class, "__init__", _with_judge(JudgeRejectionSampler))
    _wrap(runner_class, "_get_eagle3_aux_layers_from_config", _asking_for_layers)
    _wrap(runner_class, "sample_tokens", _sampling)
    _wrap(runner_class, "propose_draft_token_ids", _proposing)


_deciding: list[Bench] = []
"""The judge whose sampler is at work: a process samples one batch at a time."""


def _wrap(owner: Any, name: str, around: Any) -> None:
    original = getattr(owner, name)

    @wraps(original)
    def method(self: Any, *arguments: Any, **named: Any) -> Any:
        return around(original, self, *arguments, **named)

    setattr(owner, name, method)


def _with_judge(sampler_class: Any) -> Any:
    def around(original: Any, runner: Any, config: Any, *arguments: Any, **named: Any) -> None:
        original(runner, config, *arguments, **named)
        settings = JudgeSettings.read(config.additional_config)
        if settings is None:
            return
        bench = Bench(settings)
        _require_layers(config.model_config)
        runner.use_aux_hidden_state_outputs = True
        runner.judge_bench = bench
        runner.rejection_sampler = sampler_class(
            runner.sampler, runner.speculative_config, runner.device
        )
        runner.rejection_sampler.judge_bench = bench

    return around


def _require_layers(model_config: Any) -> None:
    from vllm.model_executor.model_loader.utils import get_model_architecture
    from vllm.model_executor.models.interfaces import supports_eagle3

    model_class, name = get_model_architecture(model_config)
    if not supports_eagle3(model_class):
        raise UserError(
            "judge",
            f"reads a block's own output, which vLLM's {name} does not give",
            "serve one of the models that support EAGLE-3, or decode with transformers",
        )


def _asking_for_layers(original: Any, runner: Any) -> Any:
    bench = runner.judge_bench
    return original(runner) if bench is None else bench.layers


def _sampling(original: Any, runner: Any, *arguments: Any, **named: Any) -> Any:
    bench, state = runner.judge_bench, runner.execute_model_state
    if bench is None or state is None or state.spec_decode_metadata is None:
        return original(runner, *arguments, **named)
    with torch.inference_mode():
        bench.look(runner, state)
    output = original(runner, *arguments, **named)
    counts = bench.drain()
    if counts is not None:
        # With asynchronous scheduling the output is on its way, and its parts wait inside.
        getattr(output, "_model_runner_output", output).judge_counts = counts
    return output


def _proposing(original: Any, runner: Any, *arguments: Any, **named: Any) -> Any:
    """The states are the judge's; a drafter that takes none must not be given them."""
    if runner.judge_bench is None:
        return original(runner, *arguments, **named)
    asked, runner.use_aux_hidden_state_outputs = runner.use_aux_hidden_state_outputs, False
    try:
        return original(runner, *arguments, **named)
    finally:
        runner.use_aux_hidden_state_outputs = asked
