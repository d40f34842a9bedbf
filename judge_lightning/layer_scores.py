"""How well each layer's head does on held-out tokens, and which layer to take.

Apart from training, so that reading a finished run loads no Lightning.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LayerScore:
    """How well one layer's head tells mistakes from correct tokens on held-out tokens.

    ``layer`` is the last one that the head reads.
    ``recall`` is the share of mistake tokens that the threshold rejects, ``kept`` the share of
    correct tokens that it lets pass; ``average_precision`` counts mistakes as the positives.
    """

    layer: int
    epoch: int
    loss: float
    auroc: float
    average_precision: float
    recall: float
    kept: float


def choose_layer(scores: list[LayerScore]) -> int:
    """The layer with the best average precision on mistakes; of equal ones the later."""
    return max(scores, key=lambda score: (score.average_precision, score.layer)).layer
