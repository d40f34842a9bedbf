"""Judge decoding through transformers' ``generate``: its arguments keep their meaning."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    PreTrainedModel,
    StoppingCriteria,
    StoppingCriteriaList,
    SynthIDTextWatermarkingConfig,
)
from transformers.generation import BaseStreamer

from judge_lightning import JudgeHead, judge_generate
from judge_lightning.errors import UserError
from judge_lightning.heads import HeadConfig

Models = tuple[PreTrainedModel, PreTrainedModel]
HIDDEN, LAYERS = 32, 2
SYNTH_ID = SynthIDTextWatermarkingConfig(keys=[3, 5], ngram_len=3)


def head(threshold: float) -> JudgeHead:
    config = HeadConfig(HIDDEN, LAYERS - 1, LAYERS, threshold=threshold)
    weights = torch.randn(HIDDEN, generator=torch.Generator().manual_seed(7))
    return JudgeHead.from_weights(weights, 0.0, config)


def both(models: Models, prompt: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """What the target writes without and with ``custom_generate``."""
    target, draft = models
    arguments = {"max_new_tokens": 30, "do_sample": False, **arguments}
    ours = target.generate(
        prompt, custom_generate=judge_generate, assistant_model=draft, **arguments
    )
    return target.generate(prompt, **arguments), ours


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"repetition_penalty": 1.3},
        {"no_repeat_ngram_size": 2, "min_new_tokens": 12},
        {"bad_words_ids": [[9], [36, 2]]},
        {"eos_token_id": [9, 13]},
        {"max_length": 19, "max_new_tokens": None},
        {"suppress_tokens": [9, 40], "forced_eos_token_id": 5},
    ],
    ids=lambda arguments: "-".join(arguments) or "plain",
)
def test_greedy_arguments_give_what_generate_gives(
    llama: Models, prompt: Tensor, arguments: dict[str, Any]
) -> None:
    wanted, ours = both(llama, prompt, **arguments)
    assert torch.equal(ours, wanted)


def test_a_judge_that_never_overrules_gives_what_generate_gives(
    llama: Models, prompt: Tensor
) -> None:
    target, draft = llama
    ours = target.generate(
        prompt, custom_generate=judge_generate, assistant_model=draft, judge=head(1.0),
        max_new_tokens=30, do_sample=False,
    )  # fmt: skip
    assert torch.equal(ours, target.generate(prompt, max_new_tokens=30, do_sample=False))


def test_blocks_that_end_by_themselves_give_what_generate_gives(
    llama: Models, prompt: Tensor
) -> None:
    wanted, _ = both(llama, prompt)
    target, draft = llama
    ours = target.generate(
        prompt, custom_generate=judge_generate, assistant_model=draft, draft_length="auto",
        max_new_tokens=wanted.shape[1] - prompt.shape[1], do_sample=False,
    )  # fmt: skip
    assert torch.equal(ours, wanted)


def test_a_judge_that_keeps_everything_gives_the_drafts_blocks(
    llama: Models, prompt: Tensor
) -> None:
    target, draft = llama
    ours = target.generate(
        prompt, custom_generate=judge_generate, assistant_model=draft, judge=head(0.5),
        judge_threshold=0.0, draft_length=8, max_new_tokens=8, do_sample=False, eos_token_id=None,
    )  # fmt: skip
    drafted = draft.generate(prompt, max_new_tokens=7, do_sample=False, eos_token_id=None)
    assert torch.equal(ours[:, :-1], drafted)


class After(StoppingCriteria):
    """Stops behind the first occurrence of a token; a block does not end there by itself."""

    def __init__(self, token: int) -> None:
        self.token = token

    def __call__(self, input_ids: Tensor, scores: Any, **kwargs: Any) -> Any:
        return input_ids[:, -1] == self.token


@pytest.mark.parametrize("place", range(7))
def test_a_stopping_criterion_ends_the_answer_at_the_same_token(
    llama: Models, prompt: Tensor, place: int
) -> None:
    plain, _ = both(llama, prompt, eos_token_id=None)
    token = int(plain[0, prompt.shape[1] + place])
    wanted, ours = both(
        llama, prompt, eos_token_id=None, stopping_criteria=StoppingCriteriaList([After(token)])
    )
    assert torch.equal(ours, wanted)
    assert ours.shape[1] < plain.shape[1]


class Collector(BaseStreamer):
    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.ended = 0

    def put(self, value: Tensor) -> None:
        assert not self.ended
        self.tokens += value.flatten().tolist()

    def end(self) -> None:
        self.ended += 1


def test_a_streamer_is_given_the_prompt_and_every_token_once(llama: Models, prompt: Tensor) -> None:
    target, draft = llama
    streamer = Collector()
    ours = target.generate(
        prompt, custom_generate=judge_generate, assistant_model=draft, streamer=streamer,
        max_new_tokens=20, do_sample=False,
    )  # fmt: skip
    assert streamer.tokens == ours[0].tolist()
    assert streamer.ended == 1


def test_an_output_object_is_given_where_one_is_asked_for(llama: Models, prompt: Tensor) -> None:
    wanted, ours = both(llama, prompt, return_dict_in_generate=True)
    assert torch.equal(ours.sequences, wanted.sequences)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"assistant_model": None}, "assistant_model"),
        ({"num_beams": 2}, r"num_beams|input_ids"),
        ({"output_scores": True, "return_dict_in_generate": True}, "output_scores"),
        ({"attention_mask": torch.tensor([[0, 1, 1, 1, 1, 1, 1]])}, "attention_mask"),
        ({"guidance_scale": 1.5}, "UnbatchedClassifierFreeGuidance.* cannot be taken back"),
        ({"watermarking_config": SYNTH_ID, "do_sample": True}, "SynthIDText.* taken back"),
        ({"dola_layers": "high"}, "dola_layers"),
        ({"inputs_embeds": torch.zeros(1, 7, HIDDEN)}, "inputs_embeds: is not read"),
        ({"position_ids": torch.arange(1, 8).unsqueeze(0)}, "position_ids"),
        ({"draft_length": 0}, "draft_length"),
        ({"draft_length": "long"}, "draft_length"),
        ({"judge": "/nowhere"}, "/nowhere"),
        ({"judge_threshold": 1.5, "judge": head(0.5)}, "threshold"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_what_cannot_be_done_is_refused_by_name(
    llama: Models, prompt: Tensor, arguments: dict[str, Any], field: str
) -> None:
    target, draft = llama
    with pytest.raises(UserError, match=field):
        target.generate(
            prompt,
            **{
                "custom_generate": judge_generate,
                "assistant_model": draft,
                "max_new_tokens": 4,
                "do_sample": False,
                **arguments,
            },
        )
