"""A threshold is chosen on held-out tokens and says what it promises."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from judge_lightning.calibration import (
    HeldOut,
    calibrate,
    held_out,
    one_mistake_a_prompt,
    operating_curve,
    recall_threshold,
    wilson_lower,
)
from judge_lightning.errors import UserError
from judge_lightning.heads import HeadConfig, JudgeHead

TOKENS = HeldOut(
    probability=torch.tensor([0.1, 0.2, 0.3, 0.6, 0.4, 0.7, 0.8, 0.9], dtype=torch.float64),
    labels=torch.tensor([0, 0, 0, 0, 1, 1, 1, 1], dtype=torch.int8),
)
settings.register_profile("calibration", deadline=None, max_examples=50)
settings.load_profile("calibration")


def test_the_fixed_rule_takes_the_threshold_and_promises_nothing() -> None:
    calibration = calibrate(TOKENS, "fixed", threshold=0.5, recall=0.9)

    assert (calibration.threshold, calibration.promised) == (0.5, 0.0)
    assert (calibration.recall, calibration.kept) == (0.75, 0.75)
    assert calibration.auroc == pytest.approx(15 / 16)


def test_the_recall_rule_takes_the_most_permissive_threshold_that_keeps_its_promise() -> None:
    # ceil((4 + 1) * 0.6) = 3 of 4 mistakes lie at or below it.
    calibration = calibrate(TOKENS, "recall", threshold=0.5, recall=0.6)

    assert 0.3 < calibration.threshold < 0.4
    assert (calibration.recall, calibration.kept, calibration.promised) == (0.75, 1.0, 0.6)


def test_a_recall_that_so_few_mistakes_cannot_promise_is_refused() -> None:
    with pytest.raises(UserError, match="cannot be promised from 4") as error:
        recall_threshold(TOKENS, 0.95)

    assert "at least 19" in error.value.remedy


@given(
    probability=st.lists(st.floats(0, 1), min_size=30, max_size=60),
    recall=st.floats(0.05, 0.9),
)
def test_the_recall_rule_keeps_its_recall_on_the_split_itself(
    probability: list[float], recall: float
) -> None:
    labels = torch.tensor([place % 2 for place in range(len(probability))], dtype=torch.int8)
    tokens = HeldOut(torch.tensor(probability, dtype=torch.float64), labels)

    threshold = recall_threshold(tokens, recall)

    assert float((tokens.mistakes <= threshold).double().mean()) >= recall


def test_the_conformal_promise_holds_on_average_for_new_mistakes() -> None:
    generator = torch.Generator().manual_seed(0)
    rejected = []
    for _ in range(2000):
        drawn = torch.rand(20, dtype=torch.float64, generator=generator)
        tokens = HeldOut(drawn[:19], torch.zeros(19, dtype=torch.int8))
        rejected.append(float(drawn[19] <= recall_threshold(tokens, 0.9)))

    assert sum(rejected) / len(rejected) == pytest.approx(0.9, abs=0.03)


def test_along_the_curve_recall_rises_and_less_is_kept() -> None:
    curve = operating_curve(TOKENS, 101)

    assert [point.threshold for point in curve] == pytest.approx([n / 100 for n in range(101)])
    assert [point.recall for point in curve] == sorted(point.recall for point in curve)
    assert [point.kept for point in curve] == sorted((p.kept for p in curve), reverse=True)
    assert (curve[0].kept, curve[-1].recall) == (1.0, 1.0)


def test_held_out_tokens_are_judged_by_the_head_at_its_own_layer(embeddings: Path) -> None:
    config = HeadConfig(hidden_size=8, layer=1, layers_of_target=3)
    head = JudgeHead.from_weights(torch.eye(8)[0], -5.0, config)

    tokens = held_out(head, embeddings)

    assert len(tokens.labels) == 200
    assert calibrate(tokens, "fixed", threshold=0.5, recall=0.9).auroc > 0.95


def test_a_calibration_split_without_mistakes_is_refused() -> None:
    tokens = HeldOut(torch.ones(3, dtype=torch.float64), torch.ones(3, dtype=torch.int8))

    with pytest.raises(UserError, match="0 mistake tokens"):
        calibrate(tokens, "fixed", threshold=0.5, recall=0.9)


def test_wilsons_bound_is_below_the_share_and_approaches_it() -> None:
    assert wilson_lower(1.0, 20) == pytest.approx(0.8808, abs=1e-3)
    assert wilson_lower(0.9, 100) < wilson_lower(0.9, 10_000) < 0.9


def of_prompts(prompts: list[int], tuples: list[int], probability: list[float]) -> HeldOut:
    """Mistake tokens, two a tuple, and one correct token at the end."""
    count = len(probability)
    return HeldOut(
        torch.tensor([*probability, 0.9], dtype=torch.float64),
        torch.tensor([*[0] * count, 1], dtype=torch.int8),
        torch.tensor([*prompts, 99]),
        torch.tensor([*tuples, 99], dtype=torch.int32),
        torch.tensor([*[3 - place % 2 for place in range(count)], 0], dtype=torch.int32),
    )


def test_of_a_prompts_mistakes_one_is_drawn_and_of_its_tokens_the_first_one() -> None:
    # Two prompts; the first has two wrong answers. Each mistake's first token is stored last.
    tokens = of_prompts([1, 1, 1, 1, 2, 2], [5, 5, 6, 6, 7, 7], [0.9, 0.1, 0.9, 0.2, 0.9, 0.3])

    drawn = [one_mistake_a_prompt(tokens, seed) for seed in range(20)]

    assert {len(of_seed) for of_seed in drawn} == {2}
    assert {of_seed[0] for of_seed in drawn} == {0.1, 0.2}
    assert {of_seed[1] for of_seed in drawn} == {0.3}


def test_the_draw_does_not_look_at_probabilities() -> None:
    prompts, tuples = [n // 4 for n in range(80)], [n // 2 for n in range(80)]
    rising = [place / 100 for place in range(80)]
    falling = rising[::-1]

    one = one_mistake_a_prompt(of_prompts(prompts, tuples, rising))
    other = one_mistake_a_prompt(of_prompts(prompts, tuples, falling))

    assert [rising.index(value) for value in one] == [falling.index(value) for value in other]


def test_the_risk_rule_comes_with_its_certificate() -> None:
    count = 400
    tokens = of_prompts(
        [n // 2 for n in range(count)],
        [n // 2 for n in range(count)],
        [0.6 if n < 12 else 0.1 for n in range(count)],
    )

    calibration = calibrate(
        tokens, "risk", threshold=0.0, recall=0.9, alpha=0.02, epsilon=0.05, seed=3
    )

    certificate = calibration.certificate
    assert certificate is not None
    # Six of 200 prompts lie above 0.5; of 200, none may pass for 2 %.
    assert (certificate.trials, certificate.events, certificate.plain_events) == (200, 0, 6)
    assert calibration.threshold == certificate.threshold == 0.6
    assert (calibration.rule, calibration.promised) == ("risk", 0.98)
    assert certificate.data == tokens.fingerprint


def test_the_data_fingerprint_is_of_the_tokens_and_not_of_the_judge() -> None:
    one = of_prompts([1, 1], [1, 1], [0.1, 0.2])
    other_judge = of_prompts([1, 1], [1, 1], [0.7, 0.8])
    other_prompt = of_prompts([2, 2], [1, 1], [0.1, 0.2])

    assert one.fingerprint == other_judge.fingerprint != other_prompt.fingerprint


def test_a_split_with_few_prompts_says_how_many_more_it_needs(embeddings: Path) -> None:
    config = HeadConfig(hidden_size=8, layer=1, layers_of_target=3)
    head = JudgeHead.from_weights(torch.eye(8)[0], -5.0, config)

    with pytest.raises(UserError, match="needs 149 calibration prompts with a mistake, there are"):
        calibrate(held_out(head, embeddings), "risk", threshold=0.5, recall=0.9, alpha=0.02)
