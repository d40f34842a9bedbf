"""Standard speculative decoding must equal the target alone; only rounding ties are let through."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from evals.agreement import DisagreementError, check_agreement, first_difference


class Target:
    """A model whose next-token logits are fixed."""

    device = torch.device("cpu")

    def __init__(self, *logits: float) -> None:
        self.logits = torch.tensor([[logits]])

    def __call__(self, **_: Any) -> SimpleNamespace:
        return SimpleNamespace(logits=self.logits)


def agree(target: Target, alone: list[int], speculative: list[int]) -> bool:
    return check_agreement(target, "p1", [0], alone, speculative)  # type: ignore[arg-type]


def test_equal_answers_agree() -> None:
    assert agree(Target(0.0, 1.0), [1, 1], [1, 1])


def test_a_different_token_is_a_defect() -> None:
    with pytest.raises(DisagreementError, match=r"prompt p1: .* at token 1"):
        agree(Target(0.0, 1.0, 2.0), [2, 2], [2, 1])


def test_a_shorter_answer_is_a_defect() -> None:
    with pytest.raises(DisagreementError, match="at token 1"):
        agree(Target(0.0, 1.0), [1, 1], [1])


def test_a_tie_up_to_rounding_is_let_through_but_seen() -> None:
    assert not agree(Target(0.0, 5.0, 5.0 + 5e-7), [2, 0], [1, 0])


@pytest.mark.parametrize(
    ("a", "b", "at"), [([1, 2], [1, 2], None), ([1, 2], [1, 3], 1), ([1], [1, 3], 1), ([], [1], 0)]
)
def test_the_first_difference_counts_lengths_too(
    a: list[int], b: list[int], at: int | None
) -> None:
    assert first_difference(a, b) == at
