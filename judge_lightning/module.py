"""All layers' judge heads, trained side by side in one run.

The heads share nothing but the batches: each has its own weights, its own loss and its own
best epoch, so that every layer ends where it would have ended alone (arXiv 2501.19309 tries
several layers; this gives the whole curve at the price of one run). Of a kind that reads several
layers at once there is one head.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torchmetrics.functional.classification import binary_auroc, binary_average_precision

from judge_lightning.datamodule import Batch
from judge_lightning.heads.bank import HeadBank, weighted_cross_entropy
from judge_lightning.layer_scores import LayerScore
from judge_lightning.processes import mean_over_processes, of_all_processes

_PLACES = ("layer", "epoch")
"""What of a score says where it stands, and is not logged."""


@dataclass(frozen=True)
class ClassWeights:
    """Loss weights of the two classes, scaled so that a token weighs 1 on average."""

    mistake: float
    correct: float

    @classmethod
    def of(cls, mistakes: int, correct: int, positive_weight: float | None) -> ClassWeights:
        """From the classes' token counts.

        Args:
            positive_weight: Weight of a correct token against a mistake; None makes both
                classes weigh the same in total.
        """
        ratio = mistakes / correct if positive_weight is None else positive_weight
        mistake = (mistakes + correct) / (mistakes + ratio * correct)
        return cls(mistake=mistake, correct=ratio * mistake)


class JudgeModule(LightningModule):
    """A bank of heads on standardised embeddings, weighted cross entropy.

    The standardisation is folded into the exported weights, so that a head stays the plain
    formula that it is.

    Args:
        bank: The heads at their start.
        weights: Loss weights of a mistake and of a correct token.
        lr: AdamW's learning rate (the paper: 1e-4).
        weight_decay: AdamW's decoupled weight decay (the paper: 0.1).
        threshold: A token passes when its probability is above it.

    Attributes:
        best: Every head as it was at its own best epoch. A part of the module, so that a
            checkpoint has it.
    """

    best_loss: Tensor
    best_epoch: Tensor

    def __init__(
        self,
        bank: HeadBank,
        *,
        weights: ClassWeights,
        lr: float,
        weight_decay: float,
        threshold: float,
    ) -> None:
        super().__init__()
        self._lr = lr
        self._weight_decay = weight_decay
        self._threshold = threshold
        self._class_weights = weights
        self.bank = bank
        self.best = copy.deepcopy(bank).requires_grad_(False)
        self.register_buffer("best_loss", torch.full((len(bank.heads),), torch.inf))
        self.register_buffer("best_epoch", torch.zeros(len(bank.heads), dtype=torch.long))
        self._scores: list[LayerScore] = []
        self._trained: list[Tensor] = []
        self._validated: list[tuple[Tensor, Tensor]] = []

    def forward(self, embeddings: Tensor, draft: Tensor | None = None) -> Tensor:
        """Maps embeddings (tokens, layers, hidden) to logits (tokens, heads)."""
        logits: Tensor = self.bank(embeddings, draft)
        return logits

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Weighted cross entropy of logits (tokens, heads), per head: (heads,)."""
        return weighted_cross_entropy(logits, labels, self._worth(labels, len(labels)))

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """The heads' losses added up, so that no head's gradient depends on another's."""
        worth = self._worth(batch.labels, batch.tokens)
        losses = self.bank.losses(batch.embeddings, batch.draft, batch.labels, worth)
        self._trained.append(losses.detach())
        return losses.sum()

    def _worth(self, labels: Tensor, tokens: float) -> Tensor:
        """What each token counts in a mean over ``tokens``."""
        weights = self._class_weights
        return torch.where(labels == 1, weights.correct, weights.mistake) / tokens

    def on_train_epoch_end(self) -> None:
        """Logs the epoch's mean loss of the head that has the lowest."""
        losses = mean_over_processes(torch.stack(self._trained).mean(0))
        self._trained.clear()
        self.log("loss", losses.min(), batch_size=1)

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Collects the logits: ranking metrics need all of them at once."""
        self._validated.append((self(batch.embeddings, batch.draft).detach(), batch.labels))

    def on_validation_epoch_end(self) -> None:
        """Keeps heads at their best, and scores and logs the one with the lowest loss.

        The others are scored once, by ``score``: ranking a split costs more than all of an
        epoch's steps with one more head.
        """
        logits, labels = of_all_processes(
            *(torch.cat(parts) for parts in zip(*self._validated, strict=True))
        )
        self._validated.clear()
        losses = self.loss(logits, labels)
        better = losses < self.best_loss
        self.best_loss.copy_(torch.where(better, losses, self.best_loss))
        self.best_epoch.masked_fill_(better, self.current_epoch)
        self.best.take(self.bank, better)
        lowest = int(losses.argmin())
        score = self._score(lowest, self.current_epoch, losses, logits, labels)
        numbers = asdict(score)
        self.log_dict(
            {f"validation/{name}": numbers[name] for name in numbers if name not in _PLACES},
            batch_size=1,
        )
        self.log("validation/best_loss", self.best_loss.min(), batch_size=1)

    @torch.no_grad()
    def score(self, batches: Iterable[Batch]) -> None:
        """Scores every head as it was at its own best epoch, for ``scores``."""
        found = [(self.best(batch.embeddings, batch.draft), batch.labels) for batch in batches]
        logits, labels = (torch.cat(parts) for parts in zip(*found, strict=True))
        losses = self.loss(logits, labels)
        self._scores = [
            self._score(place, int(epoch), losses, logits, labels)
            for place, epoch in enumerate(self.best_epoch)
        ]

    def _score(
        self, place: int, epoch: int, losses: Tensor, logits: Tensor, labels: Tensor
    ) -> LayerScore:
        mistake = (labels == 0).long()
        # In double precision, so that confident tokens keep their order.
        probability = torch.sigmoid(logits[:, place].double())
        passes = probability > self._threshold
        return LayerScore(
            layer=self.bank.heads[place][-1],
            epoch=epoch,
            loss=losses[place].item(),
            auroc=binary_auroc(1 - probability, mistake).item(),
            average_precision=binary_average_precision(1 - probability, mistake).item(),
            recall=(~passes[mistake == 1]).float().mean().item(),
            kept=passes[mistake == 0].float().mean().item(),
        )

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW without a schedule; biases are not decayed."""
        return torch.optim.AdamW(
            self.bank.parameter_groups(self._weight_decay), lr=self._lr, fused=True
        )

    def transfer_batch_to_device(
        self, batch: Batch, device: torch.device, dataloader_idx: int
    ) -> Batch:
        """Nothing: heads are trained on the CPU, and looking for tensors costs half a step."""
        return batch

    @property
    def parameters_per_head(self) -> int:
        """Trained numbers in one head."""
        heads = len(self.bank.heads)
        return sum(parameter.numel() for parameter in self.bank.parameters()) // heads

    def scores(self) -> list[LayerScore]:
        """Every head's validation scores at its own best epoch, after ``score``."""
        return list(self._scores)
