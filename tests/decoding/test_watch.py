"""A decoder scores its answers from the states that the judge reads, and writes the same."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from judge_lightning import JudgeHead, SpeculativeDecoder
from judge_lightning.heads import HeadConfig
from judge_lightning.models.hidden_states import HiddenStateTap
from judge_lightning.shift import ShiftReference, ShiftWatch
from judge_lightning.verifiers import Exact, Judge

Models = tuple[PreTrainedModel, PreTrainedModel]
LAYER, HIDDEN = 1, 32


@pytest.fixture
def judge() -> Judge:
    weights = torch.randn(HIDDEN, generator=torch.Generator().manual_seed(7))
    return Judge(JudgeHead.from_weights(weights, 0.1, HeadConfig(HIDDEN, LAYER, 2)))


@pytest.fixture
def reference() -> ShiftReference:
    spread = torch.full((HIDDEN,), 2.0)
    return ShiftReference(torch.zeros(HIDDEN), spread, 4.0, 198, 199, 1.0, 3.0, 0.5)


def test_the_score_is_of_the_draft_tokens_that_were_kept(
    llama: Models, prompt: Tensor, judge: Judge, reference: ShiftReference
) -> None:
    target, draft = llama
    decoder = SpeculativeDecoder(target, draft, judge, 5, watch=ShiftWatch(reference))

    first, again = (decoder.generate(prompt, 30, eos_token_id=()) for _ in range(2))

    length = prompt.shape[1]
    with torch.no_grad(), HiddenStateTap(target, [LAYER]) as tap:
        logits = target(first.sequences).logits[0, length - 1 : -1]
        written = tap.states[LAYER][0, length:]
    kept = torch.tensor([fate != "target" for fate in first.trace.fates])
    assert not kept.all()
    unlikely = logits.log_softmax(-1).gather(1, first.sequences[0, length:, None]).neg()[kept]
    assert unlikely.max() > reference.usual
    assert first.trace.shift is not None
    assert first.trace.shift.prompts == pytest.approx(
        float(reference.distances(written[kept].mean(0))), rel=1e-4
    )
    assert first.trace.shift.drafts == pytest.approx(
        float((unlikely - 3.0).clamp_min(0).mean()) / 0.5, rel=1e-4
    )
    assert again.trace.shift == first.trace.shift


def test_watching_changes_no_token(
    llama: Models, prompt: Tensor, judge: Judge, reference: ShiftReference
) -> None:
    target, draft = llama
    plain = SpeculativeDecoder(target, draft, judge, 5).generate(prompt, 30)
    watched = SpeculativeDecoder(target, draft, judge, 5, watch=ShiftWatch(reference))

    assert watched.generate(prompt, 30).trace.to_json() == plain.trace.to_json()
    assert plain.trace.shift is None


def test_a_rule_that_reads_no_layer_has_no_score(
    llama: Models, prompt: Tensor, reference: ShiftReference
) -> None:
    decoder = SpeculativeDecoder(*llama, Exact(), 5, watch=ShiftWatch(reference))

    assert decoder.generate(prompt, 10).trace.shift is None
