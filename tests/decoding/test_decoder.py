from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import (
    LogitsProcessorList,
    MaxLengthCriteria,
    PreTrainedModel,
    StoppingCriteriaList,
    SuppressTokensLogitsProcessor,
)

from judge_lightning import AutoregressiveDecoder, JudgeHead, SpeculativeDecoder
from judge_lightning.decoding.eager import EagerEngine
from judge_lightning.decoding.request import Extras
from judge_lightning.errors import UserError
from judge_lightning.heads import HeadConfig
from judge_lightning.models.hidden_states import HiddenStateTap
from judge_lightning.verifiers import Block, Exact, Judge, Verdict

Models = tuple[PreTrainedModel, PreTrainedModel]
MakePair = Callable[[str], Models]
KINDS = ["llama", "qwen2", "gpt2", "gpt_neox", "sliding_window"]
VOCABULARY, LAYERS, HIDDEN, EOS = 61, 2, 32, 2


def greedy(model: PreTrainedModel, prompt: Tensor, new: int, eos: int | None = EOS) -> Tensor:
    """What transformers itself generates."""
    return model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=new,
        do_sample=False,
        eos_token_id=eos,
    )


def random_head(layer: int = LAYERS - 1, threshold: float = 0.5) -> JudgeHead:
    config = HeadConfig(HIDDEN, layer, LAYERS, threshold=threshold)
    weights = torch.randn(HIDDEN, generator=torch.Generator().manual_seed(7))
    return JudgeHead.from_weights(weights, 0.1, config)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("draft_length", [1, 5])
def test_exact_greedy_equals_transformers_generate(
    make_pair: MakePair, kind: str, draft_length: int, prompt: Tensor
) -> None:
    target, draft = make_pair(kind)
    decoder = SpeculativeDecoder(target, draft, Exact(), draft_length)
    output = decoder.generate(prompt, 40, eos_token_id=())
    assert torch.equal(output.sequences, greedy(target, prompt, 40, eos=None))
    accepted = [cycle.accepted for cycle in output.trace.cycles]
    # Otherwise nothing was rolled back, or nothing was kept.
    assert any(accepted)
    assert any(cycle.corrected for cycle in output.trace.cycles)


@settings(max_examples=12, deadline=None)
@given(
    prompt=st.lists(st.integers(3, VOCABULARY - 1), min_size=1, max_size=9),
    draft_length=st.integers(1, 9),
    new=st.integers(1, 24),
)
def test_exact_greedy_holds_for_any_prompt_draft_length_and_limit(
    llama: Models, prompt: list[int], draft_length: int, new: int
) -> None:
    target, draft = llama
    ids = torch.tensor([prompt])
    output = SpeculativeDecoder(target, draft, Exact(), draft_length).generate(ids, new)
    assert torch.equal(output.sequences, greedy(target, ids, new))


def test_a_perfect_draft_is_always_accepted_whole(llama: Models, prompt: Tensor) -> None:
    target, _ = llama
    output = SpeculativeDecoder(target, target, Exact(), 4).generate(prompt, 20, eos_token_id=())
    assert [cycle.accepted for cycle in output.trace.cycles] == [4, 4, 4, 4]
    assert torch.equal(output.sequences, greedy(target, prompt, 20, eos=None))


@pytest.mark.parametrize("place", range(10))
def test_an_eos_anywhere_in_a_block_ends_the_answer_as_in_generate(
    llama: Models, prompt: Tensor, place: int
) -> None:
    target, draft = llama
    eos = int(greedy(target, prompt, 12, eos=None)[0, prompt.shape[1] + place])
    output = SpeculativeDecoder(target, draft, Exact(), 4).generate(prompt, 12, eos_token_id=eos)
    assert torch.equal(output.sequences, greedy(target, prompt, 12, eos=eos))
    assert output.trace.tokens == output.sequences[0, prompt.shape[1] :].tolist()


def test_nothing_is_proposed_after_a_drafted_eos(llama: Models, prompt: Tensor) -> None:
    target, _ = llama
    eos = int(greedy(target, prompt, 3, eos=None)[0, -1])
    decoder = SpeculativeDecoder(target, target, Exact(), 8)
    cycle = decoder.generate(prompt, 20, eos_token_id=eos).trace.cycles[-1]
    assert cycle.proposed[-1] == eos
    assert cycle.accepted == len(cycle.proposed)
    assert cycle.next_token is None


def test_proposals_that_were_drafted_past_an_eos_do_not_count(
    llama: Models, prompt: Tensor
) -> None:
    """On a GPU the draft does not look at its tokens, so blocks go on behind an EOS."""
    target, draft = llama
    eos = int(greedy(target, prompt, 3, eos=None)[0, -1])
    looking, blind = (
        SpeculativeDecoder(target, draft, Exact(), 8, engine=EagerEngine(looks_are_free=looks))
        for looks in (True, False)
    )
    expected = looking.generate(prompt, 20, eos_token_id=eos)
    output = blind.generate(prompt, 20, eos_token_id=eos)
    assert output.trace.to_json() == expected.trace.to_json()


def test_decoding_stops_where_the_targets_positions_end(llama: Models) -> None:
    target, draft = llama
    prompt = torch.arange(3, 60).repeat(2)[:90].unsqueeze(0)
    output = SpeculativeDecoder(target, draft, Exact(), 4).generate(prompt, 50, eos_token_id=())
    assert output.sequences.shape == (1, 96)
    assert torch.equal(output.sequences, greedy(target, prompt, 6, eos=None))


def test_a_draft_with_fewer_positions_stops_proposing_and_the_target_goes_on(
    make_pair: MakePair, prompt: Tensor
) -> None:
    target, draft = make_pair("gpt2")
    draft.config.max_position_embeddings = 12
    output = SpeculativeDecoder(target, draft, Exact(), 4).generate(prompt, 20, eos_token_id=())
    assert torch.equal(output.sequences, greedy(target, prompt, 20, eos=None))
    assert output.trace.cycles[-1].proposed == []


def test_threshold_one_is_the_standard_rule(llama: Models, prompt: Tensor) -> None:
    target, draft = llama
    judge = SpeculativeDecoder(target, draft, Judge(random_head(), 1.0), 5).generate(prompt, 30)
    exact = SpeculativeDecoder(target, draft, Exact(), 5).generate(prompt, 30)
    assert torch.equal(judge.sequences, exact.sequences)
    assert [c.accepted for c in judge.trace.cycles] == [c.accepted for c in exact.trace.cycles]


def test_threshold_zero_keeps_every_block_whole(llama: Models, prompt: Tensor) -> None:
    target, draft = llama
    head = random_head()
    with torch.no_grad():
        head.bias.fill_(-500.0)
    output = SpeculativeDecoder(target, draft, Judge(head, 0.0), 5).generate(
        prompt, 30, eos_token_id=()
    )
    assert [cycle.accepted for cycle in output.trace.cycles] == [5] * 5


@pytest.mark.parametrize("layer", range(LAYERS))
def test_the_judge_reads_each_draft_token_at_its_own_position(
    llama: Models, prompt: Tensor, layer: int
) -> None:
    """Every probability equals one recomputed in a single forward without a cache."""
    target, draft = llama
    head = random_head(layer)
    output = SpeculativeDecoder(target, draft, Judge(head), 5).generate(prompt, 30, ())
    prefix = prompt[0].tolist()
    for cycle in output.trace.cycles:
        with torch.no_grad(), HiddenStateTap(target, [layer]) as tap:
            target(torch.tensor([prefix + cycle.proposed]), use_cache=False)
            recomputed = head.probability(tap.states[layer][0, len(prefix) :])
        assert cycle.judge == pytest.approx(recomputed.tolist(), abs=1e-4)
        prefix += cycle.tokens
    assert prefix == output.sequences[0].tolist()


def test_a_token_is_kept_if_either_rule_keeps_it(llama: Models, prompt: Tensor) -> None:
    target, draft = llama
    trace = (
        SpeculativeDecoder(target, draft, Judge(random_head()), 6).generate(prompt, 40, ()).trace
    )
    for cycle in trace.cycles:
        assert cycle.judge is not None
        kept = [s or p > 0.5 for s, p in zip(cycle.standard, cycle.judge, strict=True)]
        assert cycle.accepted == (kept.index(False) if False in kept else len(kept))
    assert "judge" in trace.fates


def test_the_target_reads_each_block_once(llama: Models, prompt: Tensor) -> None:
    target, draft = llama
    forwards: list[int] = []
    handle = target.register_forward_hook(lambda *_: forwards.append(1))
    output = SpeculativeDecoder(target, draft, Judge(random_head()), 5).generate(prompt, 30, ())
    handle.remove()
    assert len(forwards) == len(output.trace.cycles)


def test_no_hook_outlives_a_generation(llama: Models, prompt: Tensor) -> None:
    target, draft = llama

    class Failing(Judge):
        def verdict(self, block: Block, generator: torch.Generator | None = None) -> Verdict:
            raise KeyboardInterrupt

    hooks = [len(module._forward_hooks) for module in target.modules()]
    with pytest.raises(KeyboardInterrupt):
        SpeculativeDecoder(target, draft, Failing(random_head()), 5).generate(prompt, 30)
    assert [len(module._forward_hooks) for module in target.modules()] == hooks


def test_a_limit_of_one_token_is_sampled_from_the_target_alone(
    llama: Models, prompt: Tensor
) -> None:
    output = SpeculativeDecoder(*llama, Exact(), 4).generate(prompt, 1, (), temperature=1.0)
    assert output.trace.cycles[0].proposed == []
    assert len(output.trace.tokens) == 1


def test_a_perfect_draft_is_always_accepted_when_sampling(llama: Models, prompt: Tensor) -> None:
    target, _ = llama
    output = SpeculativeDecoder(target, target, Exact(), 4).generate(
        prompt, 20, (), temperature=1.0, generator=torch.Generator().manual_seed(0)
    )
    assert [cycle.accepted for cycle in output.trace.cycles] == [4, 4, 4, 4]


def test_the_same_seed_samples_the_same_answer(llama: Models, prompt: Tensor) -> None:
    decoder = SpeculativeDecoder(*llama, Exact(), 4)
    answers = [
        decoder.generate(
            prompt, 20, (), temperature=1.0, generator=torch.Generator().manual_seed(seed)
        ).sequences.tolist()
        for seed in (3, 3, 4)
    ]
    assert answers[0] == answers[1] != answers[2]


def test_a_draft_with_more_padding_ids_than_the_target_never_proposes_them(
    make_pair: MakePair, prompt: Tensor
) -> None:
    target, draft = make_pair("llama")
    draft.resize_token_embeddings(VOCABULARY + 7, mean_resizing=False)
    with torch.no_grad():
        draft.get_output_embeddings().weight[VOCABULARY:].fill_(50.0)
    for temperature in (0.0, 1.0):
        output = SpeculativeDecoder(target, draft, Exact(), 4).generate(
            prompt, 20, (), temperature=temperature
        )
        proposed = [token for cycle in output.trace.cycles for token in cycle.proposed]
        assert max(proposed) < VOCABULARY


def test_the_model_alone_equals_transformers_generate(llama: Models, prompt: Tensor) -> None:
    target, _ = llama
    output = AutoregressiveDecoder(target).generate(prompt, 30)
    assert torch.equal(output.sequences, greedy(target, prompt, 30))
    assert output.trace.tokens_per_cycle == 1.0
    assert set(output.trace.fates) == {"target"}


def test_the_model_alone_heeds_processors_and_stopping_criteria_as_generate_does(
    llama: Models, prompt: Tensor
) -> None:
    target, _ = llama
    forbidden = int(greedy(target, prompt, 1)[0, -1])
    processors = LogitsProcessorList([SuppressTokensLogitsProcessor([forbidden])])
    stopping = StoppingCriteriaList([MaxLengthCriteria(prompt.shape[1] + 7)])
    expected = target.generate(
        prompt, max_new_tokens=30, do_sample=False, eos_token_id=EOS, suppress_tokens=[forbidden]
    )
    output = AutoregressiveDecoder(target).generate(prompt, 30, extras=Extras(processors, stopping))
    assert torch.equal(output.sequences, expected[:, : prompt.shape[1] + 7])


@pytest.mark.parametrize(
    ("ids", "new", "field"),
    [
        (torch.zeros((1, 0), dtype=torch.long), 5, "input_ids"),
        (torch.ones((2, 3), dtype=torch.long), 5, "input_ids"),
        (torch.ones((1, 3)), 5, "input_ids"),
        (torch.ones((1, 96), dtype=torch.long), 5, "input_ids"),
        (torch.ones((1, 3), dtype=torch.long), 0, "max_new_tokens"),
    ],
)
def test_a_wrong_request_is_refused_by_name(
    llama: Models, ids: Tensor, new: int, field: str
) -> None:
    with pytest.raises(UserError) as error:
        SpeculativeDecoder(*llama, Exact(), 4).generate(ids, new)
    assert error.value.field == field


def test_a_judge_for_another_target_is_refused_before_decoding(llama: Models) -> None:
    head = JudgeHead(HeadConfig(hidden_size=HIDDEN * 2, layer=0, layers_of_target=LAYERS))
    with pytest.raises(UserError, match="width 64"):
        SpeculativeDecoder(*llama, Judge(head), 4)


def test_a_draft_length_below_one_is_refused(llama: Models) -> None:
    with pytest.raises(UserError, match="draft_length"):
        SpeculativeDecoder(*llama, Exact(), 0)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_target_that_gives_nan_is_named(
    llama: Models, prompt: Tensor, temperature: float
) -> None:
    target, draft = copy.deepcopy(llama[0]), llama[1]
    with torch.no_grad():
        target.get_output_embeddings().weight[5] = float("nan")
    decoder = SpeculativeDecoder(target, draft, Exact(), 4)
    with pytest.raises(UserError, match="logits are NaN"):
        decoder.generate(prompt, 8, temperature=temperature)


def test_decoding_leaves_the_models_trainable(llama: Models, prompt: Tensor) -> None:
    target, draft = llama
    output = SpeculativeDecoder(target, draft, Exact(), 4).generate(prompt, 5)
    logits = target(output.sequences).logits
    nn.functional.cross_entropy(logits[0, :-1], output.sequences[0, 1:]).backward()
    target.zero_grad()
