"""The judge's opinion as tensors: what is kept, what is overruled, what is counted."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from judge_lightning.heads import HeadConfig, JudgeHead
from judge_lightning.vllm_plugin.verdicts import NEVER, Layout, Opinion, count

VOCABULARY = 7


def opinion_of(
    tokens: list[int], probabilities: list[float], thresholds: list[float] | None = None
) -> Opinion:
    chosen = thresholds or [0.5] * len(tokens)
    return Opinion(
        torch.tensor(tokens),
        torch.tensor(probabilities, dtype=torch.float64),
        torch.tensor(chosen, dtype=torch.float64),
    )


def logits_preferring(tokens: list[int]) -> Tensor:
    torch.manual_seed(0)
    logits = torch.randn(len(tokens), VOCABULARY)
    logits[range(len(tokens)), tokens] = 9.0
    return logits


def test_the_head_is_asked_at_the_threshold_in_double_precision() -> None:
    config = HeadConfig(hidden_size=2, layer=0, layers_of_target=1)
    head = JudgeHead.from_weights(torch.tensor([1.0, 0.0]), -2000.0, config)
    states = torch.tensor([[0.0, 0.0], [4000.0, 0.0]])
    opinion = Opinion.of(head, states, torch.tensor([1, 2]), torch.zeros(2, dtype=torch.float64))
    assert opinion.probabilities.dtype == torch.float64
    assert opinion.keeps.tolist() == [False, True], "sigmoid(-2000) is 0 even then"
    opinion.thresholds -= 1e-9
    assert opinion.keeps.tolist() == [True, True]


def test_a_kept_token_gets_all_of_the_targets_probability() -> None:
    opinion = opinion_of([3, 4], [0.9, 0.1])
    logits = logits_preferring([1, 1])
    before = logits.clone()
    opinion.overrule(logits, None, None)
    assert logits.softmax(1)[0].tolist() == [0, 0, 0, 1, 0, 0, 0]
    assert torch.equal(logits[1], before[1]), "what the judge does not keep stays as it was"


def test_an_exact_request_is_never_overruled() -> None:
    opinion = opinion_of([3], [1.0], [NEVER])
    logits = logits_preferring([1])
    before = logits.clone()
    opinion.overrule(logits, None, None)
    assert torch.equal(logits, before)


def test_empty_slots_are_left_alone() -> None:
    opinion = opinion_of([-1], [1.0])
    logits = logits_preferring([1])
    before = logits.clone()
    opinion.overrule(logits, None, None)
    assert torch.equal(logits, before)


def test_a_hard_constraint_outweighs_the_judge_and_top_k_does_not() -> None:
    opinion = opinion_of([3, 3], [0.9, 0.9])
    constrained = logits_preferring([1, 1])
    constrained[0, 3] = -torch.inf
    opinion.note_allowed(constrained)
    cut = constrained.clone()
    cut[1, 3] = -torch.inf  # As top-k would.
    opinion.overrule(cut, None, None)
    assert cut[0].argmax() == 1
    assert cut[1].argmax() == 3


def test_greedy_tokens_are_overruled_where_they_are_not_the_argmax() -> None:
    opinion = opinion_of([3, 1, 3], [0.9, 0.9, 0.1])
    opinion.overrule(logits_preferring([1, 1, 1]), None, None)
    assert opinion.standard is not None
    assert opinion.standard.tolist() == [0, 1, 0]
    assert opinion.overruled().tolist() == [1, 0, 0]


def test_sampled_tokens_are_overruled_by_what_the_standard_rule_would_have_refused() -> None:
    target = torch.tensor([[0.2, 0.8], [0.6, 0.4], [0.5, 0.5]])
    draft = torch.tensor([[0.8, 0.2], [0.3, 0.7], [0.5, 0.5]])
    opinion = opinion_of([0, 0, 0], [0.9, 0.9, 0.9])
    opinion.overrule(target.log(), draft, torch.tensor([False, False, True]))
    assert opinion.standard is not None
    # min(1, p/q): 0.2/0.8, min(1, 0.6/0.3), and the argmax where the request is greedy.
    assert opinion.standard.tolist() == pytest.approx([0.25, 1.0, 1.0])
    assert opinion.overruled().tolist() == pytest.approx([0.75, 0.0, 0.0])


def test_a_certain_draft_counts_as_probability_one() -> None:
    opinion = opinion_of([0], [0.9])
    opinion.overrule(torch.tensor([[0.2, 0.8]]).log(), None, torch.tensor([False]))
    assert opinion.overruled().tolist() == pytest.approx([0.8])


def test_tokens_find_their_request_and_place() -> None:
    layout = Layout.of([3, 0, 2], torch.device("cpu"))
    assert layout.request.tolist() == [0, 0, 0, 2, 2]
    assert layout.position.tolist() == [0, 1, 2, 0, 1]


def test_only_accepted_tokens_of_judged_requests_are_counted() -> None:
    # Request 0 is judged: three tokens, two accepted, the second by the judge alone.
    # Request 1 asked for exact, request 2 is judged and had its only token refused.
    opinion = opinion_of([1, 3, 3, 1, 1, 3], [0.9] * 5 + [0.1], [0.5] * 3 + [NEVER] * 2 + [0.5])
    opinion.overrule(logits_preferring([1] * 6), None, None)
    counts = count(
        opinion, Layout.of([3, 2, 1], torch.device("cpu")), accepted=torch.tensor([2, 2, 0])
    )
    assert counts.tolist() == [2, 2, 1]
