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
    return ShiftReference(torch.zeros(HIDDEN), torch.full((HIDDEN,), 2.0), 4.0, 198, 199)


def test_the_score_is_of_the_draft_tokens_that_were_kept(
    llama: Models, prompt: Tensor, judge: Judge, reference: ShiftReference
) -> None:
    target, draft = llama
    decoder = SpeculativeDecoder(target, draft, judge, 5, watch=ShiftWatch(reference))

    first, again = (decoder.generate(prompt, 30, eos_token_id=()) for _ in range(2))

    with torch.no_grad(), HiddenStateTap(target, [LAYER]) as tap:
        target(first.sequences)
        written = tap.states[LAYER][0, prompt.shape[1] :]
    kept = torch.tensor([fate != "target" for fate in first.trace.fates])
    assert not kept.all()
    expected = float(reference.scores(written[kept].mean(0)))
    assert first.trace.shift == pytest.approx(expected, rel=1e-4)
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
