"""Thresholds: what a judge lets through, and what a threshold promises.

A token passes when its probability is above the threshold (delta in arXiv 2501.19309).
Everything here is measured on prompts that neither training nor the layer's choice has seen.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor
from torchmetrics.functional.classification import binary_auroc, binary_average_precision

from judge_lightning.embeddings import EmbeddingIndex
from judge_lightning.errors import UserError
from judge_lightning.guarantee import Certificate, mistakes_threshold
from judge_lightning.heads import JudgeHead
from judge_lightning.reading import Reading, kept_rows, read_tokens

RULES = ("fixed", "recall", "risk")
_Z = 1.6448536269514722
"""One-sided 95 % quantile of the normal distribution."""


@dataclass(frozen=True)
class HeldOut:
    """Probabilities (tokens,) float64 that a token is correct, and labels (tokens,) 1 or 0.

    ``prompt`` (tokens,) int64, ``tuple_number`` and ``position`` (tokens,) int32 say whose they
    are (``EmbeddingIndex``). They are needed for what counts prompts: the rule ``risk``.
    """

    probability: Tensor
    labels: Tensor
    prompt: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))
    tuple_number: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int32))
    position: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int32))

    @property
    def mistakes(self) -> Tensor:
        """The mistakes' probabilities, ascending."""
        return self.probability[self.labels == 0].sort().values

    @property
    def correct(self) -> Tensor:
        """The correct tokens' probabilities, ascending."""
        return self.probability[self.labels == 1].sort().values

    @property
    def fingerprint(self) -> str:
        """SHA-256 of which tokens these are and of their labels, not of what a judge says."""
        digest = hashlib.sha256()
        for tensor in (self.prompt, self.tuple_number, self.position, self.labels):
            digest.update(tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()


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
    is the recall that the rule guarantees: of ``recall`` for a new mistake token exchangeable
    with the calibration split's (conformal), of ``risk`` as its ``certificate`` says, 0 of
    ``fixed``, which guarantees nothing.
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
    certificate: Certificate | None = None


@torch.inference_mode()
def held_out(head: JudgeHead, folder: Path, split: str = "calibration") -> HeldOut:
    """Judges every labelled token of a split with the head, one shard in memory at a time.

    Of a head that knows mismatches alone, every mismatched one.

    Raises:
        UserError: The head reads the draft's states, and the folder has none.
    """
    index = EmbeddingIndex.load(folder)
    reading = Reading(head.layers_read, head.reads_draft_embedding, head.mismatches_only)
    reading.counted(index)
    probabilities, labels = [torch.empty(0).double()], [torch.empty(0, dtype=torch.int8)]
    whose: dict[str, list[Tensor]] = {"prompt": [], "tuple": [], "position": []}
    for shard in index.of(split):
        embeddings, shard_labels, draft = read_tokens(folder, index, shard, reading)
        states = (embeddings if head.several_layers else embeddings[:, 0]).float()
        logits = head(states, None if draft is None else draft.float())
        probabilities.append(torch.sigmoid(logits.double()))
        labels.append(shard_labels)
        with safe_open(folder / shard.file, "pt") as file:
            for name, tensors in whose.items():
                tensors.append(file.get_tensor(name)[kept_rows(file, reading)])
    if not whose["prompt"]:
        return HeldOut(torch.cat(probabilities), torch.cat(labels))
    facts = [torch.cat(tensors) for tensors in whose.values()]
    return HeldOut(torch.cat(probabilities), torch.cat(labels), *facts)


def one_mistake_a_prompt(tokens: HeldOut, seed: int = 0) -> list[float]:
    """The judge's probability of one mistake of each prompt that has any, in no telling order.

    Several mistakes of one prompt are not independent of each other, so one is drawn, by a hash
    of the seed, the prompt and the tuple: probabilities play no part. Of a mistake of several
    tokens the first one's probability is taken. That errs on the safe side: a judge that rejects
    a later token has not kept the mistake whole either.
    """
    rows = (tokens.labels == 0).nonzero()[:, 0].tolist()
    firsts: dict[tuple[int, int], int] = {}
    for row in rows if len(tokens.prompt) else []:
        mistake = (int(tokens.prompt[row]), int(tokens.tuple_number[row]))
        known = firsts.setdefault(mistake, row)
        if tokens.position[row] < tokens.position[known]:
            firsts[mistake] = row
    drawn: dict[int, tuple[bytes, int]] = {}
    for (prompt, number), row in firsts.items():
        lot = hashlib.sha256(f"mistake:{seed}:{prompt}:{number}".encode()).digest()
        drawn[prompt] = min(drawn.get(prompt, (lot, row)), (lot, row))
    return [float(tokens.probability[row]) for _, row in drawn.values()]


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


def calibrate(
    tokens: HeldOut,
    rule: str,
    *,
    threshold: float,
    recall: float,
    alpha: float = 0.0,
    epsilon: float = 0.05,
    seed: int = 0,
) -> Calibration:
    """Chooses the threshold by the rule and measures it.

    Args:
        rule: ``fixed`` takes ``threshold``; ``recall`` takes ``recall_threshold``; ``risk`` takes
            ``mistakes_threshold`` with ``alpha``, ``epsilon`` and the mistakes that ``seed`` draws.

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
    chosen, promised, certificate = threshold, 0.0, None
    if rule == "recall":
        chosen, promised = recall_threshold(tokens, recall), recall
    elif rule == "risk":
        drawn = one_mistake_a_prompt(tokens, seed)
        certificate = mistakes_threshold(drawn, alpha, epsilon, tokens.fingerprint)
        chosen, promised = certificate.threshold, 1 - alpha
    point = operating_point(tokens, chosen)
    is_mistake = (tokens.labels == 0).long()
    return Calibration(
        rule=rule,
        threshold=chosen,
        recall=point.recall,
        recall_lower_95=wilson_lower(point.recall, mistakes),
        promised=promised,
        kept=point.kept,
        auroc=float(binary_auroc(1 - tokens.probability, is_mistake)),
        average_precision=float(binary_average_precision(1 - tokens.probability, is_mistake)),
        mistakes=mistakes,
        correct=correct,
        certificate=certificate,
    )


def wilson_lower(share: float, count: int) -> float:
    """The one-sided 95 % lower bound (Wilson) on a share that was seen in ``count`` trials."""
    centre = share + _Z**2 / (2 * count)
    spread = _Z * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    return max(0.0, (centre - spread) / (1 + _Z**2 / count))
