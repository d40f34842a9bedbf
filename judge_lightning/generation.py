"""Judge decoding inside transformers: ``model.generate(..., custom_generate=judge_generate)``.

Existing code keeps its arguments, its streamer and its stopping criteria, and gets judge
decoding by naming this function, a draft and a judge::

    target.generate(
        **inputs, custom_generate=judge_generate, assistant_model=draft, judge=head,
        max_new_tokens=256, do_sample=False, streamer=streamer,
    )
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import (
    GenerationConfig,
    LogitsProcessorList,
    PreTrainedModel,
    StoppingCriteriaList,
)
from transformers.generation import (
    EosTokenCriteria,
    GenerateDecoderOnlyOutput,
    GenerationMixin,
    MaxLengthCriteria,
    SynthIDTextWatermarkLogitsProcessor,
    UnbatchedClassifierFreeGuidanceLogitsProcessor,
)

from judge_lightning.decoding.decoder import SpeculativeDecoder
from judge_lightning.decoding.draft_length import DraftLength
from judge_lightning.decoding.request import Extras, Streamer
from judge_lightning.decoding.verifiers.verdict import Verifier
from judge_lightning.errors import UserError
from judge_lightning.heads import JudgeHead
from judge_lightning.verifiers import Exact, Judge

DRAFT_LENGTH = 16

_KNOWN_TO_DECODER = (MaxLengthCriteria, EosTokenCriteria)
"""Criteria that the decoder keeps by itself, at no cost."""
_REMEMBERING = (
    SynthIDTextWatermarkLogitsProcessor,
    UnbatchedClassifierFreeGuidanceLogitsProcessor,
)
"""Processors with a state of their own; all others of transformers look at the tokens alone."""
_PREPARED_BY_GENERATE = {
    "attention_mask",
    "cache_position",
    "logits_to_keep",
    "past_key_values",
    "position_ids",
    "use_cache",
}


def judge_generate(  # noqa: PLR0917 (transformers passes the first ones by position)
    model: PreTrainedModel,
    input_ids: Tensor,
    logits_processor: LogitsProcessorList,
    stopping_criteria: StoppingCriteriaList,
    generation_config: GenerationConfig,
    judge: JudgeHead | str | Path | None = None,
    judge_threshold: float | None = None,
    draft_length: int | str | DraftLength = DRAFT_LENGTH,
    assistant_model: PreTrainedModel | None = None,
    streamer: Streamer | None = None,
    **model_kwargs: Any,
) -> Tensor | GenerateDecoderOnlyOutput:
    """Judge decoding as a ``custom_generate`` function of transformers; called by ``generate``.

    Args:
        model: The target, whose ``generate`` was called.
        input_ids: One prompt, (1, T) long.
        logits_processor: Made by ``generate`` from its arguments; seen by target and draft.
        stopping_criteria: Likewise; asked after every token.
        generation_config: Likewise.
        judge: A trained head or its folder. None: the standard rule, which keeps the target's
            own output.
        judge_threshold: Between 0 and 1; None takes the head's own.
        draft_length: Tokens proposed per cycle; ``auto`` ends a block where it is not worth going
            on, and ``Adaptive(...)`` says what a draft token costs.
        assistant_model: The draft.
        streamer: As in ``generate``.
        model_kwargs: What ``generate`` prepared beside; an attention mask must be all ones.

    Returns:
        (1, T + new) long, prompt included; with ``return_dict_in_generate`` an output object
        whose ``sequences`` it is.

    Raises:
        UserError: No draft, several prompts, beams, padding, a cache that is not empty, scores
            or states asked for, a logits processor that remembers, inputs beside the tokens, or a
            judge that does not fit.
    """
    called_with = _arguments_of_generate()
    draft = assistant_model or called_with.get("assistant_model")
    streamer = streamer or called_with.get("streamer")
    if draft is None:
        raise UserError("assistant_model", "is not given", "name the draft: assistant_model=draft")
    _check_config(generation_config, logits_processor)
    _check_inputs(input_ids, model_kwargs)
    decoder = SpeculativeDecoder(model, draft, _verifier(judge, judge_threshold), draft_length)
    criteria = [c for c in stopping_criteria if not isinstance(c, _KNOWN_TO_DECODER)]
    output = decoder.generate(
        input_ids,
        max_new_tokens=int(generation_config.max_length) - input_ids.shape[1],
        eos_token_id=_as_tuple(generation_config.eos_token_id),
        # The temperature itself is one of the logits processors.
        temperature=1.0 if generation_config.do_sample else 0.0,
        extras=Extras(logits_processor, StoppingCriteriaList(criteria), streamer),
    )
    if streamer is not None:
        streamer.end()
    sequences: Any = output.sequences
    if generation_config.return_dict_in_generate:
        return GenerateDecoderOnlyOutput(sequences=sequences)
    return sequences


def _arguments_of_generate() -> dict[str, Any]:
    """What ``GenerationMixin.generate`` was called with, as far as it does not pass it on.

    transformers 5.23 hands a ``custom_generate`` function neither ``assistant_model`` nor
    ``streamer`` (``_extract_generation_mode_kwargs`` replaces them by the function's own
    arguments), so they are read where they are: in the calling frame.
    """
    code = getattr(GenerationMixin.generate, "__wrapped__", GenerationMixin.generate).__code__
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code is code:
            return {name: frame.f_locals.get(name) for name in ("assistant_model", "streamer")}
        frame = frame.f_back  # type: ignore[assignment]
    return {}


def _check_config(config: GenerationConfig, processors: LogitsProcessorList) -> None:
    """Raises UserError for what judge decoding cannot do; nothing is silently left out."""
    for name, wanted in (("num_beams", 1), ("use_cache", True)):
        value = getattr(config, name)
        if value not in (wanted, None):
            raise UserError(name, f"is {value}", f"judge decoding needs {name}={wanted}")
    for name in ("output_scores", "output_logits", "output_attentions", "output_hidden_states"):
        if getattr(config, name):
            raise UserError(name, "is not kept by judge decoding", "leave it out")
    for name in ("dola_layers", "penalty_alpha"):
        if getattr(config, name, None) is not None:
            raise UserError(name, "asks for another way of decoding", "leave it out")
    for processor in processors:
        if isinstance(processor, _REMEMBERING):
            problem = "remembers what it was called with, and rejected tokens cannot be taken back"
            raise UserError(type(processor).__name__, problem, "leave out what asks for it")


def _check_inputs(input_ids: Tensor, model_kwargs: dict[str, Any]) -> None:
    """Raises UserError for anything but one prompt of tokens, all of them seen, from 0 on."""
    if input_ids.shape[0] != 1:
        problem = f"has {input_ids.shape[0]} rows"
        raise UserError("input_ids", problem, "decode one prompt, one answer at a time")
    for name, value in model_kwargs.items():
        if value is not None and name not in _PREPARED_BY_GENERATE:
            raise UserError(name, "is not read by judge decoding", "leave it out")
    mask = model_kwargs.get("attention_mask")
    if mask is not None and not bool((mask == 1).all()):
        raise UserError("attention_mask", "hides tokens", "give the prompt without padding")
    positions = model_kwargs.get("position_ids")
    if positions is not None and positions.flatten().tolist() != [*range(input_ids.shape[1])]:
        raise UserError("position_ids", "do not count from 0", "leave them out")
    cache = model_kwargs.get("past_key_values")
    if cache is not None and cache.get_seq_length():
        raise UserError("past_key_values", "is not empty", "judge decoding reads the prompt itself")


def _verifier(judge: JudgeHead | str | Path | None, threshold: float | None) -> Verifier:
    if judge is None:
        return Exact()
    head = judge if isinstance(judge, JudgeHead) else JudgeHead.from_pretrained(judge)
    return Judge(head, threshold)


def _as_tuple(tokens: Any) -> tuple[int, ...]:
    if tokens is None:
        return ()
    if isinstance(tokens, Tensor):
        return tuple(tokens.flatten().tolist())
    return (tokens,) if isinstance(tokens, int) else tuple(tokens)
