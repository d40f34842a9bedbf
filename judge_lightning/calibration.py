"""Thresholds: what a judge lets through, and what a threshold promises.

A token passes when its probability is above the threshold (delta in arXiv 2501.19309).
Everything here is measured on prompts that neither training nor the layer's choice has seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torchmetrics.functional.classification import binary_auroc, binary_average_precision

from judge_lightning.datamodule import read_shard
from judge_lightning.embeddings import EmbeddingIndex
from judge_lightning.errors import UserError
from judge_lightning.heads import JudgeHead

RULES = ("fixed", "recall")
_Z = 1.6448536269514722
"""One-sided 95 % quantile of the normal distribution."""


@dataclass(frozen=True)
class HeldOut:
    """Probabilities (tokens,) float64 that a token is correct, and labels (tokens,) 1 or 0."""

    probability: Tensor
    labels: Tensor

    @property
    def mistakes(self) -> Tensor:
        """The mistakes' probabilities, ascending."""
        return self.probability[self.labels == 0].sort().values

    @property
    def correct(self) -> Tensor:
        """The correct tokens' probabilities, ascending."""
        return self.probability[self.labels == 1].sort().values


@dataclass(frozen=True)
class OperatingPoint:
    """At ``threshold``: share of mistake tokens rejected, share of correct tokens that pass."""

    threshold: float
    recall: float
    kept: float


@dataclass(frozen=True)
class Calibration:
    """The chosen threshold and what it was seen to do on the calibration split.

    ``recall_lower_95`` is the one-sided 95 % lower bound (Wilson) on the recall. ``promised``
    is the recall that the rule guarantees for a new mistake token exchangeable with the
    calibration split's (conformal), 0 for the ``fixed`` rule, which guarantees nothing.
    """

    rule: str
    threshold: float
    recall: float
    recall_lower_95: float
    promised: float
    kept: float
    auroc: float
    average_precision: float
    mistakes: int
    correct: int


@torch.inference_mode()
def held_out(head: JudgeHead, folder: Path, split: str = "calibration") -> HeldOut:
    """Judges every labelled token of a split with the head, one shard in memory at a time."""
    index = EmbeddingIndex.load(folder)
    probabilities, labels = [torch.empty(0).double()], [torch.empty(0, dtype=torch.int8)]
    for shard in index.of(split):
        embeddings, shard_labels = read_shard(folder, index, shard, head.config.layer)
        probabilities.append(torch.sigmoid(head(embeddings[:, 0].float()).double()))
        labels.append(shard_labels)
    return HeldOut(torch.cat(probabilities), torch.cat(labels))


def operating_point(tokens: HeldOut, threshold: float) -> OperatingPoint:
    """What the threshold does to the held-out tokens."""
    return OperatingPoint(
        threshold=threshold,
        recall=float((tokens.mistakes <= threshold).double().mean()),
        kept=float((tokens.correct > threshold).double().mean()),
    )


def operating_curve(tokens: HeldOut, points: int) -> list[OperatingPoint]:
    """The operating points of ``points`` thresholds, evenly from 0 to 1."""
    thresholds = torch.linspace(0, 1, points, dtype=torch.float64).tolist()
    return [operating_point(tokens, threshold) for threshold in thresholds]


def recall_threshold(tokens: HeldOut, recall: float) -> float:
    """The smallest threshold that keeps ``recall`` of new mistakes out (split conformal).

    With n held-out mistakes it is the ceil((n + 1) recall)-th smallest of their probabilities:
    a new mistake token, exchangeable with them, is then rejected with at least that
    probability. Up to the next probability seen nothing would change, so the middle between
    the two is taken: another order of additions cannot tip a token over.

    Raises:
        UserError: Too few mistakes to promise that much.
    """
    mistakes = tokens.mistakes
    rank = math.ceil((len(mistakes) + 1) * recall - 1e-9)
    if rank > len(mistakes):
        needed = math.ceil(recall / (1 - recall) - 1e-9) if recall < 1 else None
        raise UserError(
            "calibrate.recall",
            f"{recall} cannot be promised from {len(mistakes)} held-out mistake tokens",
            f"calibrate on at least {needed}, or ask for less" if needed else "ask for less than 1",
        )
    cut = float(mistakes[max(rank, 1) - 1])
    above = tokens.probability[tokens.probability > cut]
    return (cut + float(above.min())) / 2 if len(above) else cut


def calibrate(tokens: HeldOut, rule: str, *, threshold: float, recall: float) -> Calibration:
    """Chooses the threshold by the rule and measures it.

    Args:
        rule: ``fixed`` takes ``threshold``; ``recall`` takes ``recall_threshold``.

    Raises:
        UserError: The held-out tokens lack correct ones or mistakes, or are too few.
    """
    correct, mistakes = len(tokens.correct), len(tokens.mistakes)
    if not correct or not mistakes:
        raise UserError(
            "data.shares.calibration",
            f"the calibration split has {correct} correct and {mistakes} mistake tokens",
            "it needs both kinds: take more prompts, a larger share or a weaker drafter",
        )
    chosen = recall_threshold(tokens, recall) if rule == "recall" else threshold
    point = operating_point(tokens, chosen)
    is_mistake = (tokens.labels == 0).long()
    return Calibration(
        rule=rule,
        threshold=chosen,
        recall=point.recall,
        recall_lower_95=wilson_lower(point.recall, mistakes),
        promised=recall if rule == "recall" else 0.0,
        kept=point.kept,
        auroc=float(binary_auroc(1 - tokens.probability, is_mistake)),
        average_precision=float(binary_average_precision(1 - tokens.probability, is_mistake)),
        mistakes=mistakes,
        correct=correct,
    )


def wilson_lower(share: float, count: int) -> float:
    """The one-sided 95 % lower bound (Wilson) on a share that was seen in ``count`` trials."""
    centre = share + _Z**2 / (2 * count)
    spread = _Z * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    return max(0.0, (centre - spread) / (1 + _Z**2 / count))
