"""Rules that compare the target with the draft, greedily, over a tiny pair."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from judge_lightning import SpeculativeDecoder
from judge_lightning.decoding.compiled import CompiledEngine
from judge_lightning.decoding.compiler import compiler_problem
from judge_lightning.decoding.draft_length import Adaptive
from judge_lightning.decoding.eager import EagerEngine
from judge_lightning.decoding.engine import Roles
from judge_lightning.decoding.request import make_request
from judge_lightning.errors import UserError
from judge_lightning.verifiers import Divergence, Ensemble, Exact, TopK, Verifier, any_of

Models = tuple[PreTrainedModel, PreTrainedModel]


def answer(models: Models, rule: Verifier, prompt: Tensor, length: int | Adaptive = 5) -> Tensor:
    decoder = SpeculativeDecoder(*models, rule, length)
    return decoder.generate(prompt, 30, eos_token_id=()).sequences


@pytest.mark.parametrize("reads_draft", [True, False])
def test_the_drafts_distribution_is_handed_out_only_where_it_is_read(
    llama: Models, prompt: Tensor, reads_draft: bool
) -> None:
    target, draft = llama
    roles = Roles(target, draft, 4, reads_draft=reads_draft)
    request = make_request(target, prompt, 20, (), temperature=0.0, generator=None)
    with torch.inference_mode(), EagerEngine().speculate(roles, request) as speculation:
        n = prompt.shape[1]
        m, q = speculation.propose(n)
        read = draft(speculation.tokens[:, : n + m]).logits[0, n - 1 : n + m - 1]
    if not reads_draft:
        assert q is None
        return
    assert q is not None
    torch.testing.assert_close(q, read.softmax(-1))


def test_an_ensemble_of_the_target_alone_is_the_standard_rule(
    llama: Models, prompt: Tensor
) -> None:
    assert torch.equal(answer(llama, Ensemble(1.0), prompt), answer(llama, Exact(), prompt))


def test_an_ensemble_of_the_draft_alone_keeps_every_block(llama: Models, prompt: Tensor) -> None:
    trace = SpeculativeDecoder(*llama, Ensemble(0.0), 5).generate(prompt, 30, ()).trace
    assert all(cycle.accepted == len(cycle.proposed) for cycle in trace.cycles)


def test_no_divergence_at_all_is_the_standard_rule(llama: Models, prompt: Tensor) -> None:
    assert torch.equal(answer(llama, Divergence(0.0), prompt), answer(llama, Exact(), prompt))


def test_a_divergence_without_limit_keeps_every_block(llama: Models, prompt: Tensor) -> None:
    rule = Divergence(1000.0, sure=1.0)
    trace = SpeculativeDecoder(*llama, rule, 5).generate(prompt, 30, ()).trace
    assert all(cycle.accepted == len(cycle.proposed) for cycle in trace.cycles)


def test_blocks_that_end_early_have_as_many_rows_as_tokens(llama: Models, prompt: Tensor) -> None:
    rule = any_of(Divergence(0.05), TopK(1))
    sequence = answer(llama, rule, prompt, Adaptive(longest=6, draft_cost=0.3))
    assert sequence.shape[1] == prompt.shape[1] + 30


@pytest.mark.skipif(compiler_problem() is not None, reason="no C++ compiler")
def test_the_compiled_engine_refuses_them_at_once(llama: Models) -> None:
    with pytest.raises(UserError, match=r"engine: .*draft's probabilities.* engine=eager"):
        SpeculativeDecoder(*llama, Ensemble(0.5), 4, CompiledEngine())
