"""Checks that standard speculative decoding wrote what the target alone writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ROUNDINGS = 8
"""Roundings of the largest logit within which two logits count as tied."""


class DisagreementError(RuntimeError):
    """Standard speculative decoding left the target's own greedy answer: a defect, never noise."""


def first_difference(a: Sequence[int], b: Sequence[int]) -> int | None:
    """The first index at which two token sequences differ, their lengths included."""
    if list(a) == list(b):
        return None
    pairs = zip(a, b, strict=False)
    shorter = min(len(a), len(b))
    return next((i for i, (x, y) in enumerate(pairs) if x != y), shorter)


def check_agreement(
    target: PreTrainedModel,
    prompt_id: str,
    prompt_ids: Sequence[int],
    alone: Sequence[int],
    speculative: Sequence[int],
) -> bool:
    """Whether the two greedy answers are the same, token for token.

    One difference is let through as False: a target that gives both tokens the same logit up
    to rounding. A forward pass over a block rounds differently than one over a single token,
    so in low precision such a tie falls either way.

    Raises:
        DisagreementError: They differ in any other way; the prompt and the token are named.
    """
    at = first_difference(alone, speculative)
    if at is None:
        return True
    if at < min(len(alone), len(speculative)):
        prefix = [*prompt_ids, *alone[:at]]
        gap, tolerance = _logit_gap(target, prefix, alone[at], speculative[at])
        if gap <= tolerance:
            return False
    raise DisagreementError(
        f"prompt {prompt_id}: standard speculative decoding differs from the target alone at"
        f" token {at} of its answer"
    )


def _logit_gap(
    target: PreTrainedModel, prefix: Sequence[int], one: int, other: int
) -> tuple[float, float]:
    """How far apart two next tokens' logits are, and how far rounding alone can move them."""
    import torch

    with torch.inference_mode():
        input_ids = torch.tensor([list(prefix)], device=target.device)
        logits = target(input_ids=input_ids, use_cache=False).logits[0, -1]
    precision = torch.finfo(logits.dtype).eps
    tolerance = ROUNDINGS * precision * logits.float().abs().max().item()
    return abs(logits[one].item() - logits[other].item()), tolerance
