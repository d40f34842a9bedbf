"""Training all layers' heads on a folder of embeddings, resumable at any instruction."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import Logger

from judge_lightning.datamodule import JudgeDataModule, mapped_shard
from judge_lightning.embeddings import EmbeddingIndex
from judge_lightning.errors import UserError
from judge_lightning.heads import HeadConfig, JudgeHead
from judge_lightning.lightning_output import quiet_lightning
from judge_lightning.module import ClassWeights, FeatureScale, JudgeModule

_CHECKPOINT = "last"
_SMALLEST_IMPROVEMENT = 1e-4
_BLOCK = 128
"""Rows that are made double at a time: few enough for the processor's cache."""


def train_heads(
    folder: Path,
    checkpoints: Path,
    *,
    lr: float,
    weight_decay: float,
    batch_size: int,
    max_epochs: int,
    patience: int,
    threshold: float,
    positive_weight: float | None = None,
    seed: int = 0,
    logger: Logger | None = None,
    on_epoch: Callable[[int], None] | None = None,
) -> JudgeModule:
    """Trains one head per layer until the best layer's validation loss stops falling.

    A checkpoint is written after every epoch. Started again with the same arguments after a
    kill, training goes on from the last one and ends in the very same weights: the order of
    an epoch follows from the seed and the epoch alone, and the heads, a few numbers per
    embedding dimension, are trained on the CPU, where sums have one order.

    Args:
        folder: What ``embed_tuples`` wrote.
        checkpoints: Where the checkpoint is kept between starts.
        patience: Epochs without improvement before training stops.
        on_epoch: Called with each epoch's number when it begins.

    Raises:
        UserError: The train or validation split lacks correct tokens or mistakes.
    """
    data = JudgeDataModule(folder, batch_size, seed)
    for split in ("train", "validation"):
        require_both_classes(data.index, split)
    mistakes = data.index.mistakes("train")
    correct = data.index.tokens("train") - mistakes
    module = JudgeModule(
        feature_scale(folder, data.index),
        weights=ClassWeights.of(mistakes, correct, positive_weight),
        lr=lr,
        weight_decay=weight_decay,
        threshold=threshold,
    )
    saved = checkpoints / f"{_CHECKPOINT}.ckpt"
    with quiet_lightning():
        trainer = Trainer(
            accelerator="cpu",
            devices=1,
            max_epochs=max_epochs,
            logger=logger if logger is not None else False,
            callbacks=[
                ResumableEarlyStopping(
                    "validation/best_loss",
                    patience=patience,
                    min_delta=_SMALLEST_IMPROVEMENT,
                    check_on_train_epoch_end=True,
                ),
                ModelCheckpoint(
                    checkpoints,
                    filename=_CHECKPOINT,
                    save_on_train_epoch_end=True,
                    enable_version_counter=False,
                ),
                _EpochStart(on_epoch),
            ],
            reload_dataloaders_every_n_epochs=1,
            default_root_dir=checkpoints,
            num_sanity_val_steps=0,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        try:
            trainer.fit(module, data, ckpt_path=saved if saved.exists() else None)
        except SystemExit as stop:
            # Lightning turns Ctrl-C into an exit; the caller decides what Ctrl-C means.
            raise KeyboardInterrupt from stop
    return module.eval()


def export_heads(
    module: JudgeModule, index: EmbeddingIndex, folder: Path, *, threshold: float
) -> None:
    """Writes every layer's head, for embeddings as they are, to ``folder/layer-<number>``."""
    for score in module.scores():
        weight, bias = module.exported(score.layer)
        config = HeadConfig(
            hidden_size=index.hidden_size,
            layer=score.layer,
            layers_of_target=index.layers,
            threshold=threshold,
            target=index.target,
            provenance={
                "train_tokens": index.tokens("train"),
                "train_mistake_tokens": index.mistakes("train"),
                "validation_auroc": score.auroc,
                "validation_average_precision": score.average_precision,
            },
        )
        head = JudgeHead.from_weights(weight, bias, config)
        head.save_pretrained(folder / f"layer-{score.layer:02d}")


def feature_scale(folder: Path, index: EmbeddingIndex) -> FeatureScale:
    """Mean and standard deviation of every dimension over the train split, block by block."""
    total = torch.zeros(index.layers, index.hidden_size, dtype=torch.float64)
    squares = torch.zeros_like(total)
    for layer in range(index.layers):
        for shard in index.of("train"):
            (states,), _ = mapped_shard(folder, index, shard, layer)
            for block in states.split(_BLOCK):
                exact = block.double()
                total[layer] += exact.sum(0)
                squares[layer] += exact.square_().sum(0)
    count = index.tokens("train")
    mean = total / count
    std = (squares / count - mean.square()).clamp(min=0).sqrt()
    # A dimension that never moves says nothing; dividing by its rounding error would shout.
    return FeatureScale(mean, torch.where(std > 1e-6 * mean.abs().clamp(min=1.0), std, 1.0))


def require_both_classes(index: EmbeddingIndex, split: str) -> None:
    """Raises UserError when a split lacks correct tokens or mistakes."""
    mistakes = index.mistakes(split)
    if mistakes == 0 or mistakes == index.tokens(split):
        raise UserError(
            f"data.shares.{split}",
            f"the {split} split has {index.tokens(split)} labelled tokens, {mistakes} of them"
            " mistakes",
            "it needs both kinds: take more prompts, a larger share or a weaker drafter",
        )


class ResumableEarlyStopping(EarlyStopping):
    """Early stopping that a resumed training remembers to have met.

    Lightning's own forgets that it had asked to stop, so a training that was killed between
    its last checkpoint and its end would train one epoch more.
    """

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Asks to stop again when the restored state says so."""
        if self.wait_count >= self.patience:
            trainer.should_stop = True


class _EpochStart(Callback):
    def __init__(self, tell: Callable[[int], None] | None) -> None:
        self._tell = tell

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._tell is not None:
            self._tell(trainer.current_epoch)
