"""Decoding with a judge of each kind, against states that are computed without a cache."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from judge_lightning import JudgeHead, SpeculativeDecoder, judge_generate
from judge_lightning.decoding.compiled import CompiledEngine
from judge_lightning.decoding.compiler import compiler_problem
from judge_lightning.errors import UserError
from judge_lightning.heads import HeadConfig
from judge_lightning.models.hidden_states import HiddenStateTap
from judge_lightning.shift import ShiftReference, ShiftWatch
from judge_lightning.verifiers import AutoJudge, Judge, JudgeAlone, Standard, any_of

Models = tuple[PreTrainedModel, PreTrainedModel]
HIDDEN, LAYERS, VOCABULARY = 32, 2, 61
CONFIGS = {
    "linear": HeadConfig(HIDDEN, 0, LAYERS),
    "mlp": HeadConfig(HIDDEN, 1, LAYERS, kind="mlp", options={"hidden": 5}),
    "layers": HeadConfig(HIDDEN, 1, LAYERS, kind="layers", layers=(0, 1)),
    "autojudge": HeadConfig(HIDDEN, 1, LAYERS, kind="autojudge", draft_hidden_size=HIDDEN),
}
KINDS = sorted(CONFIGS)


def head(kind: str) -> JudgeHead:
    """Random weights; the logits are of a trained head's size."""
    made = JudgeHead(CONFIGS[kind])
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return made.requires_grad_(False)


def states(model: PreTrainedModel, ids: list[int]) -> tuple[Tensor, Tensor]:
    """Logits (T, V) and all blocks' outputs (T, L, H), without a cache."""
    with torch.inference_mode(), HiddenStateTap(model, range(LAYERS)) as tap:
        logits = model(torch.tensor([ids]), use_cache=False).logits[0]
        return logits, torch.stack([tap.states[layer][0] for layer in range(LAYERS)], 1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_verdicts_are_those_of_a_recomputation_without_a_cache(
    llama: Models, prompt: Tensor, kind: str
) -> None:
    target, draft = llama
    judge = head(kind)
    trace = SpeculativeDecoder(*llama, Judge(judge, 0.5), 5).generate(prompt, 40, ()).trace

    prefix = prompt[0].tolist()
    rejected = 0
    for cycle in trace.cycles:
        ids, count = prefix + cycle.proposed, len(cycle.proposed)
        logits, target_states = states(target, ids)
        said = states(draft, ids)[1][len(prefix) :, -1]
        read = target_states[len(prefix) :, list(judge.layers_read)]
        wanted = judge.probability(read if judge.several_layers else read[:, 0], said).tolist()
        best = logits[len(prefix) - 1 :].argmax(-1).tolist()
        assert cycle.standard == [a == b for a, b in zip(cycle.proposed, best, strict=False)]
        assert cycle.judge == pytest.approx(wanted, abs=1e-4)
        keeps = [a or b > 0.5 for a, b in zip(cycle.standard, cycle.judge or [], strict=True)]
        assert cycle.accepted == (keeps.index(False) if False in keeps else count)
        rejected += cycle.accepted < count
        prefix += cycle.tokens
    assert rejected > 0


@pytest.mark.parametrize("kind", KINDS)
def test_generate_of_transformers_decodes_the_same(
    llama: Models, prompt: Tensor, kind: str
) -> None:
    target, draft = llama
    decoder = SpeculativeDecoder(target, draft, Judge(head(kind), 0.5), 5)

    generated = target.generate(
        prompt, custom_generate=judge_generate, assistant_model=draft, judge=head(kind),
        judge_threshold=0.5, draft_length=5, max_new_tokens=20, do_sample=False, eos_token_id=None,
    )  # fmt: skip

    assert torch.equal(generated, decoder.generate(prompt, 20, ()).sequences)


@pytest.mark.parametrize("kind", KINDS)
def test_it_decodes_up_to_the_drafts_last_position(llama: Models, kind: str) -> None:
    long = torch.randint(3, VOCABULARY, (1, 88), generator=torch.Generator().manual_seed(0))
    output = SpeculativeDecoder(*llama, Judge(head(kind), 0.0), 5).generate(long, 30, ())
    assert output.sequences.shape == (1, 96)


def test_sampling_reads_the_drafts_states_too(llama: Models, prompt: Tensor) -> None:
    generator = torch.Generator().manual_seed(0)
    decoder = SpeculativeDecoder(*llama, Judge(head("autojudge"), 0.5), 5)
    output = decoder.generate(prompt, 20, (), temperature=1.0, generator=generator)
    assert output.sequences.shape[1] == prompt.shape[1] + 20


def test_autojudge_is_any_of_the_standard_rule_and_its_head(llama: Models, prompt: Tensor) -> None:
    judge = head("autojudge")
    rules = (AutoJudge(judge, 0.5), any_of(Standard(), JudgeAlone(judge, 0.5)))
    one, other = (SpeculativeDecoder(*llama, rule, 5).generate(prompt, 40, ()) for rule in rules)
    assert torch.equal(one.sequences, other.sequences)


def test_a_shift_is_watched_at_the_last_layer_that_is_read(llama: Models, prompt: Tensor) -> None:
    reference = ShiftReference(torch.zeros(HIDDEN), torch.ones(HIDDEN), 1.0, 1, 1)
    rule = Judge(head("layers"), 0.0)
    decoder = SpeculativeDecoder(*llama, rule, 5, watch=ShiftWatch(reference))

    trace = decoder.generate(prompt, 5, ()).trace

    ids = prompt[0].tolist() + trace.cycles[0].proposed
    kept = states(llama[0], ids)[1][prompt.shape[1] :, 1]
    (only,) = [cycle for cycle in trace.cycles if cycle.accepted]
    expected = float(reference.distances(kept[: only.accepted].mean(0)))
    assert trace.shift is not None
    assert trace.shift.prompts == pytest.approx(expected, rel=1e-4)


@pytest.mark.skipif(compiler_problem() is not None, reason="needs a C++ compiler")
def test_the_compiled_engine_refuses_a_judge_of_the_drafts_states_at_once(llama: Models) -> None:
    with pytest.raises(UserError, match="does not keep the draft's states"):
        SpeculativeDecoder(*llama, Judge(head("autojudge")), 5, CompiledEngine())


def test_autojudge_refuses_a_head_that_is_not_for_mismatches(llama: Models) -> None:
    with pytest.raises(UserError, match="was given a linear head"):
        SpeculativeDecoder(*llama, AutoJudge(head("linear")), 5)


def test_a_draft_of_another_width_is_refused(llama: Models) -> None:
    config = HeadConfig(HIDDEN, 1, LAYERS, kind="autojudge", draft_hidden_size=16)
    with pytest.raises(UserError, match="draft states of width 16"):
        SpeculativeDecoder(*llama, Judge(JudgeHead(config)), 5)
