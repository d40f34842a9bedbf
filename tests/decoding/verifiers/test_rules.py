"""Every rule on an example that is worked out by hand.

The target's distributions at three places, over a vocabulary of four:

    place 0: 0.50 0.25 0.15 0.10    the draft proposes 1, the runner-up
    place 1: 0.90 0.05 0.03 0.02    the draft proposes 0, the best
    place 2: 0.30 0.28 0.22 0.20    the draft proposes 3, the least likely
"""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from judge_lightning.decoding.verifiers.registry import (
    check_rule,
    describe_rule,
    is_lossless,
    needs_head,
    reads_draft,
)
from judge_lightning.errors import UserError
from judge_lightning.heads import HeadConfig, JudgeHead
from judge_lightning.verifiers import (
    AutoJudge,
    Block,
    BlockVerification,
    Divergence,
    Ensemble,
    Exact,
    Judge,
    JudgeAlone,
    Loose,
    Margin,
    Relaxed,
    Standard,
    TopK,
    Typical,
    Verifier,
    all_of,
    any_of,
    make_rule,
    rule_names,
)

P = torch.tensor(
    [[0.5, 0.25, 0.15, 0.1], [0.9, 0.05, 0.03, 0.02], [0.3, 0.28, 0.22, 0.2], [0.1, 0.2, 0.3, 0.4]]
)
TOKENS = torch.tensor([1, 0, 3])
Q = torch.tensor([[0.2, 0.6, 0.1, 0.1], [0.8, 0.1, 0.05, 0.05], [0.1, 0.1, 0.1, 0.7]])


def block(q: torch.Tensor | None = None, embeddings: torch.Tensor | None = None) -> Block:
    return Block(TOKENS, P.log(), embeddings, draft_probabilities=q)


def kept(rule: Verifier, **more: torch.Tensor) -> int:
    return rule.verdict(block(**more)).accepted


def head(weight: float = 1.0) -> JudgeHead:
    return JudgeHead.from_weights(torch.tensor([weight, 0.0]), 0.0, HeadConfig(2, 0, 1))


def test_exact_stops_at_the_first_token_that_is_not_the_best() -> None:
    verdict = Exact().verdict(block())
    assert (verdict.accepted, verdict.next_token) == (0, 0)
    assert verdict.standard == [False, True, False]


@pytest.mark.parametrize(("k", "accepted"), [(1, 0), (2, 2), (3, 2), (4, 3)])
def test_top_k_counts_what_is_more_likely(k: int, accepted: int) -> None:
    assert kept(TopK(k)) == accepted


def test_top_k_writes_the_best_where_it_stops() -> None:
    assert TopK(2).verdict(block()).next_token == 0


def test_typical_asks_for_more_where_the_target_is_sure() -> None:
    # exp(-H) is 0.299, 0.652 and 0.253: with alpha 0.8 the bounds are 0.239, 0.3 (epsilon) and
    # 0.202, and the tokens have 0.25, 0.9 and 0.2.
    entropies = [-sum(p * math.log(p) for p in row) for row in P.tolist()[:3]]
    assert [round(math.exp(-h), 3) for h in entropies] == [0.299, 0.652, 0.253]
    assert kept(Typical(epsilon=0.3, alpha=0.8)) == 2
    assert kept(Typical(epsilon=0.3, alpha=0.78)) == 3
    assert kept(Typical(epsilon=0.3, alpha=0.9)) == 0


@pytest.mark.parametrize(
    ("n", "ratio", "accepted"), [(2, 0.5, 2), (2, 0.51, 0), (4, 0.5, 3), (1, 0.0, 0)]
)
def test_relaxed_asks_for_rank_and_ratio(n: int, ratio: float, accepted: int) -> None:
    # 0.25 is half of 0.5; 0.2 is two thirds of 0.3, at rank four.
    assert kept(Relaxed(n, ratio)) == accepted


@pytest.mark.parametrize(("ratio", "accepted"), [(0.83, 2), (0.85, 0)])
def test_margin_lets_a_runner_up_with_a_close_logit_pass(ratio: float, accepted: int) -> None:
    # With 5 on all logits: ln 0.25 + 5 = 3.614 is 0.839 of ln 0.5 + 5 = 4.307.
    logits = P.log() + 5
    assert round(float(logits[0, 1] / logits[0, 0]), 3) == 0.839
    assert Margin(ratio).verdict(Block(TOKENS, logits)).accepted == accepted


def test_margin_is_the_standard_rule_where_no_logit_is_positive() -> None:
    assert kept(Margin(0.0)) == kept(Exact())


def test_loose_keeps_a_mismatch_that_is_followed_by_agreement() -> None:
    # 0.5 ln 2 + 0.25 ln 4 + 0.15 ln 6.67 of the three most likely at place 0 is 0.978.
    assert kept(Loose(entropy=0.97, window=1)) == 2
    assert kept(Loose(entropy=0.98, window=1)) == 0
    assert kept(Loose(entropy=0.97, window=2)) == 0, "place 2 disagrees again"


def test_loose_keeps_no_mismatch_that_it_cannot_look_behind() -> None:
    last = Block(TOKENS[2:], P[2:].log())
    assert Loose(entropy=0.1, window=1).verdict(last).accepted == 0
    assert Loose(entropy=0.1, window=0).verdict(last).accepted == 1


def test_divergence_compares_whole_distributions() -> None:
    # KL(p || q) at place 0: 0.5 ln 2.5 + 0.25 ln(0.25/0.6) + 0.15 ln 1.5 + 0 = 0.3001
    assert kept(Divergence(0.31), q=Q) == 2
    assert kept(Divergence(0.29), q=Q) == 0
    # At place 2: 0.3 ln 3 + 0.28 ln 2.8 + 0.22 ln 2.2 + 0.2 ln(0.2/0.7) = 0.5407
    assert kept(Divergence(0.55), q=Q) == 3


def test_divergence_leaves_what_the_target_is_sure_of_to_the_standard_rule() -> None:
    # The target's best has 0.5 at place 0.
    assert kept(Divergence(0.31, sure=0.5), q=Q) == 2
    assert kept(Divergence(0.31, sure=0.49), q=Q) == 0


def test_a_rule_that_needs_the_draft_says_so() -> None:
    with pytest.raises(UserError, match="draft's"):
        kept(Divergence(0.3))
    assert Divergence(0.3).reads_draft
    assert Ensemble(0.3).reads_draft


def test_ensemble_is_the_standard_rule_of_a_mixture() -> None:
    # Half and half at place 0: 0.35, 0.425, ... so token 1 is the best; at place 2 0.2 and 0.45.
    verdict = Ensemble(0.5).verdict(block(q=Q))
    assert verdict.accepted == 3
    assert verdict.standard == [False, True, False]
    assert verdict.next_token == 3, "the target's own behind a whole block"
    assert kept(Ensemble(1.0), q=Q) == kept(Exact())
    # 0.8 and 0.2: 0.44 against 0.32, so the mixture stops here and writes its own best.
    stopped = Ensemble(0.8).verdict(block(q=Q))
    assert (stopped.accepted, stopped.next_token) == (0, 0)


def test_block_verification_is_the_standard_rule_when_greedy() -> None:
    assert BlockVerification().verdict(block()).accepted == Exact().verdict(block()).accepted


def test_block_verification_weighs_prefixes_as_worked_out() -> None:
    from judge_lightning.decoding.verifiers.block_verification import prefix_tests, prefix_weights

    weights = prefix_weights(P, Q, TOKENS)
    # 0.25/0.6 = 0.41667; * 0.9/0.8 = 0.46875; * 0.2/0.7 = 0.13393
    assert weights.tolist() == pytest.approx([1, 0.41667, 0.46875, 0.13393], abs=1e-5)
    passes, residual = prefix_tests(P, Q, weights)
    # Behind one token w p - q is negative everywhere but for token 0: 0.375 - 0.8 < 0, so 0.
    # Behind two: 0.46875 * (0.3, 0.28, 0.22, 0.2) - (0.1, 0.1, 0.1, 0.7) leaves
    # 0.040625 + 0.03125 + 0.003125 = 0.075, and 0.075 / (0.075 + 1 - 0.46875) = 0.12371.
    assert passes.tolist() == pytest.approx([0.0, 0.12371, 0.13393], abs=1e-5)
    assert residual[0].tolist() == pytest.approx([0.3, 0, 0.05, 0], abs=1e-6)


def test_the_papers_rule_is_any_of_the_standard_rule_and_the_judge() -> None:
    embeddings = torch.tensor([[0.5, 0.0], [-3.0, 0.0], [-0.5, 0.0]])
    composed = any_of(Standard(), JudgeAlone(head(), 0.6)).verdict(block(embeddings=embeddings))
    judged = Judge(head(), 0.6).verdict(block(embeddings=embeddings))
    assert replace(composed, kept=None) == judged
    assert composed.kept == [True, True, False]
    assert judged.accepted == 2


def test_autojudge_asks_its_head_about_mismatches_alone() -> None:
    """u = (2, 0), w = (0, 1), b = -1 over the draft's and the target's states.

    place 0, a mismatch:  2 * 1.5 + 0.5 - 1 = 2.5, sigmoid 0.924: unimportant
    place 1, the best:    2 * -3 + 0 - 1 = -7: kept, whatever the head would say
    place 2, a mismatch:  2 * 0.5 + 0.4 - 1 = 0.4, sigmoid 0.599: important at a threshold of 0.6
    """
    config = HeadConfig(2, 0, 1, kind="autojudge", draft_hidden_size=2)
    weights = {
        "draft_weight": torch.tensor([2.0, 0.0]),
        "weight": torch.tensor([0.0, 1.0]),
        "bias": torch.tensor(-1.0),
    }
    judge = JudgeHead.from_tensors(config, weights)
    given = Block(
        TOKENS,
        P.log(),
        torch.tensor([[9.0, 0.5], [9.0, 0.0], [9.0, 0.4]]),
        draft_states=torch.tensor([[1.5, 9.0], [-3.0, 9.0], [0.5, 9.0]]),
    )

    verdict = AutoJudge(judge, 0.6).verdict(given)

    assert verdict.judge == pytest.approx([0.92414, 0.00091, 0.59869], abs=1e-5)
    assert (verdict.accepted, verdict.next_token) == (2, 0)
    assert AutoJudge(judge, 0.59).verdict(given).accepted == 3
    assert AutoJudge(judge, 0.93).verdict(given).accepted == 0
    assert AutoJudge(judge).reads_draft_states


def test_all_of_keeps_what_every_rule_keeps() -> None:
    embeddings = torch.tensor([[0.5, 0.0], [-3.0, 0.0], [0.5, 0.0]])
    both = all_of(TopK(2), JudgeAlone(head(), 0.6))
    assert kept(both, embeddings=embeddings) == 1
    assert both.layers == (0,)


def test_rules_are_made_from_a_configuration() -> None:
    embeddings = torch.tensor([[0.5, 0.0], [-3.0, 0.0], [-0.5, 0.0]])
    made = make_rule({"any_of": ["exact", {"judge": {"threshold": 0.6}}]}, head())
    assert made.verdict(block(embeddings=embeddings)).accepted == 2
    assert kept(make_rule({"top_k": {"k": 2}})) == 2
    assert "typical" in rule_names()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("guess", "there is no rule 'guess'"),
        ({"top_k": {"width": 2}}, "its options are"),
        ({"top_k": {"k": 0}}, "k is 0"),
        ({"top_k": {"k": 2.5}}, "give a whole number"),
        ({"top_k": {"k": "two"}}, "give a whole number"),
        ({"top_k": {}}, "k: it has no value"),
        ({"margin": {"ratio": "close"}}, "is 'close'; give a number"),
        ({"margin": 0.5}, "write margin"),
        ({"divergence": {"limit": math.nan}}, "limit is nan"),
        ({"divergence": {"sure": 2}}, "sure is 2"),
        ({"typical": {"epsilon": 1.5}}, "epsilon is 1.5"),
        ({"margin": {"ratio": -0.1}}, "ratio is -0.1"),
        ({"loose": {"window": -1}}, "window is -1"),
        ({"divergence": {"limit": -1}}, "limit is -1"),
        ({"ensemble": {"weight": 2}}, "weight is 2"),
        ({"judge": {}}, "no judge"),
        ({"any_of": []}, "give a list"),
        ({"any_of": ["block_verification"]}, "cannot be composed"),
        ({"top_k": {}, "typical": {}}, "is no rule"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(spec: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_rule(spec)  # type: ignore[arg-type]


def test_a_judges_threshold_is_checked_before_there_is_a_judge() -> None:
    check_rule({"judge": {"threshold": 0.3}})
    with pytest.raises(UserError, match=r"threshold: is 1\.3"):
        check_rule({"any_of": ["exact", {"judge": {"threshold": 1.3}}]})


def test_a_rule_says_what_it_needs_and_what_it_is() -> None:
    both = {"any_of": ["exact", {"judge": {"threshold": 0.3}}, {"divergence": {"limit": 0.5}}]}
    assert needs_head(both) and reads_draft(both) and not is_lossless(both)
    assert not needs_head("exact") and not reads_draft("judge") and is_lossless("exact")
    assert describe_rule(both) == "any_of(exact; judge, threshold 0.3; divergence, limit 0.5)"


def test_every_rule_survives_a_block_without_proposals() -> None:
    empty = Block(TOKENS[:0], P[:1].log(), torch.zeros(0, 2), draft_probabilities=Q[:0])
    for name in rule_names():
        rule = make_rule({name: {"k": 1} if name == "top_k" else {}}, head())
        assert rule.verdict(empty).next_token == 0


def test_only_rules_that_keep_the_targets_output_call_themselves_lossless() -> None:
    lossless = {
        name
        for name in rule_names()
        if make_rule({name: {"k": 1} if name == "top_k" else {}}, head()).lossless
    }
    assert lossless == {"exact", "block_verification"}
