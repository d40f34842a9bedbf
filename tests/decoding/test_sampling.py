"""Rejection sampling keeps the target's distribution, shown on an enumerable vocabulary."""

from __future__ import annotations

import random
from collections.abc import Callable

import torch
from torch import Tensor

from judge_lightning.verifiers import Block, BlockVerification, Ensemble, Exact, TopK, Verdict

V = 3
TARGET = torch.tensor([[0.6, 0.3, 0.1], [0.1, 0.2, 0.7], [0.3, 0.3, 0.4]])
DRAFT = torch.tensor([[0.2, 0.3, 0.5], [0.5, 0.4, 0.1], [0.3, 0.3, 0.4]])
"""Markov chains: row t holds the probabilities of the token after t."""
START = 0
DRAWS = 500

Rule = Callable[[Block, torch.Generator], Verdict]


def exact(block: Block, generator: torch.Generator) -> Verdict:
    return Exact().verdict(block, generator)


def correcting_from_the_whole_target(block: Block, generator: torch.Generator) -> Verdict:
    """A plausible mistake: after a rejection it samples p, not the residual of p and q."""
    verdict = Exact().verdict(block, generator)
    if verdict.accepted < len(verdict.proposed):
        p = block.logits.softmax(-1)[verdict.accepted]
        verdict.next_token = int(torch.multinomial(p, 1, generator=generator))
    return verdict


def sampled_pairs(rule: Rule) -> Tensor:
    """Counts (V, V) of an answer's first two tokens, decoded with two proposals a cycle."""
    generator = torch.Generator().manual_seed(0)
    proposals = random.Random(0)
    counts = torch.zeros(V, V)
    for _ in range(DRAWS):
        tokens: list[int] = []
        while len(tokens) < 2:
            path = [tokens[-1] if tokens else START]
            for _ in range(2):
                path += proposals.choices(range(V), DRAFT[path[-1]].tolist())
            block = Block(
                tokens=torch.tensor(path[1:]),
                logits=TARGET[path].log(),
                temperature=1.0,
                draft_probabilities=DRAFT[path[:-1]],
            )
            verdict = rule(block, generator)
            tokens += [*verdict.proposed[: verdict.accepted], verdict.next_token]
        counts[tokens[0], tokens[1]] += 1
    return counts


def chi_square(counts: Tensor) -> float:
    expected = DRAWS * TARGET[START][:, None] * TARGET
    return float(((counts - expected) ** 2 / expected).sum())


CRITICAL = 26.12
"""Chi-square with 8 degrees of freedom exceeds it once in a thousand."""


def test_exact_sampling_has_the_targets_distribution() -> None:
    assert chi_square(sampled_pairs(exact)) < CRITICAL


def test_a_wrong_rule_fails_the_same_test() -> None:
    assert chi_square(sampled_pairs(correcting_from_the_whole_target)) > 2 * CRITICAL


def test_block_verification_has_the_targets_distribution() -> None:
    rule = BlockVerification()
    assert chi_square(sampled_pairs(rule.verdict)) < CRITICAL


def test_block_verification_keeps_more_than_the_standard_rule() -> None:
    generator, proposals = torch.Generator().manual_seed(0), random.Random(0)
    kept = {Exact: 0, BlockVerification: 0}
    for _ in range(DRAWS):
        path = [START]
        for _ in range(6):
            path += proposals.choices(range(V), DRAFT[path[-1]].tolist())
        block = Block(
            tokens=torch.tensor(path[1:]),
            logits=TARGET[path].log(),
            temperature=1.0,
            draft_probabilities=DRAFT[path[:-1]],
        )
        for rule in kept:
            kept[rule] += rule().verdict(block, generator).accepted
    assert kept[BlockVerification] > kept[Exact]


def test_lossy_rules_do_not_have_the_targets_distribution() -> None:
    assert chi_square(sampled_pairs(TopK(2).verdict)) > 2 * CRITICAL
    assert chi_square(sampled_pairs(Ensemble(0.5).verdict)) > 2 * CRITICAL


def test_an_ensemble_of_the_target_alone_has_its_distribution() -> None:
    assert chi_square(sampled_pairs(Ensemble(1.0).verdict)) < CRITICAL


def test_temperature_sharpens_the_target_before_it_is_compared() -> None:
    generator = torch.Generator().manual_seed(0)
    block = Block(
        tokens=torch.tensor([2]),
        logits=torch.tensor([[0.0, 1.0, 0.9], [5.0, 0.0, 0.0]]),
        temperature=0.001,
        draft_probabilities=torch.tensor([[0.0, 0.0, 1.0]]),
    )
    verdict = Exact().verdict(block, generator)
    assert (verdict.accepted, verdict.next_token) == (0, 1)
