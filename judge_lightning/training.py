"""Training all layers' heads on a folder of embeddings, resumable at any instruction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import Logger
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor

from judge_lightning.datamodule import JudgeDataModule
from judge_lightning.embeddings import EmbeddingIndex
from judge_lightning.errors import UserError
from judge_lightning.heads import HeadConfig, head_class, read_options
from judge_lightning.heads.bank import FeatureScale
from judge_lightning.lightning_output import quiet_lightning
from judge_lightning.module import ClassWeights, JudgeModule
from judge_lightning.processes import KnownRank, Place, from_first_process, side_by_side
from judge_lightning.reading import ALL, Reading, map_tokens

_CHECKPOINT = "last"
_SMALLEST_IMPROVEMENT = 1e-4
_BLOCK = 128
"""Rows that are made double at a time: few enough for the processor's cache."""


@dataclass(frozen=True)
class HeadKind:
    """The kind of heads that is trained, and its options."""

    name: str = "linear"
    options: Mapping[str, Any] = field(default_factory=dict)

    def candidates(self, layers: int) -> list[tuple[int, ...]]:
        """The heads that are trained side by side, by the layers that each reads."""
        options = read_options(self.name, self.options, layers)
        return head_class(self.name).candidates(layers, options)

    def reading(self, layers: int) -> Reading:
        """What of the embeddings they read."""
        kind = head_class(self.name)
        wanted = tuple(sorted({layer for one in self.candidates(layers) for layer in one}))
        return Reading(wanted, kind.reads_draft_embedding, kind.mismatches_only)


LINEAR = HeadKind()


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
    processes: int = 1,
    logger: Logger | None = None,
    on_epoch: Callable[[int], None] | None = None,
    kind: HeadKind = LINEAR,
) -> JudgeModule:
    """Trains one head per layer until the best layer's validation loss stops falling.

    Of a kind that reads several layers at once, or one alone, there is one head.

    A checkpoint is written after every epoch. Started again with the same arguments after a
    kill, training goes on from the last one and ends in the very same weights: the order of
    an epoch follows from the seed and the epoch alone, and the heads, a few numbers per
    embedding dimension, are trained on the CPU, where sums have one order.

    Args:
        folder: What ``embed_tuples`` wrote.
        checkpoints: Where the checkpoint is kept between starts.
        patience: Epochs without improvement before training stops.
        processes: How many CPU processes share every batch (Lightning's DDP). The result is one
            process's up to the rounding of sums; only this process writes and reports.
        on_epoch: Called with each epoch's number when it begins.

    Raises:
        UserError: The train or validation split lacks correct tokens or mistakes among the tokens
            that the kind reads, or an option of the kind makes no sense.
    """
    index = EmbeddingIndex.load(folder)
    counted = kind.reading(index.layers).counted(index)
    which = "mismatched " if head_class(kind.name).mismatches_only else ""
    for split in ("train", "validation"):
        require_both_classes(counted, split, which)
    mistakes = counted.mistakes("train")
    training = _Training(
        folder=folder,
        checkpoints=checkpoints,
        weights=ClassWeights.of(mistakes, counted.tokens("train") - mistakes, positive_weight),
        kind=kind,
        lr=lr,
        weight_decay=weight_decay,
        batch_size=batch_size,
        max_epochs=max_epochs,
        patience=patience,
        threshold=threshold,
        seed=seed,
    )
    told = [_EpochStart(on_epoch)]
    if processes == 1:
        module = training.run(None, logger, told)
    else:
        with side_by_side(processes, training.run) as place:
            module = training.run(place, logger, told)
    module.score(training.data().whole_validation())
    return module


@dataclass(frozen=True, kw_only=True)
class _Training:
    """One training, as plain numbers and paths that another process can be given."""

    folder: Path
    checkpoints: Path
    weights: ClassWeights
    lr: float
    weight_decay: float
    batch_size: int
    max_epochs: int
    patience: int
    threshold: float
    seed: int
    kind: HeadKind

    def data(self) -> JudgeDataModule:
        """The embeddings, as the kind of heads reads them."""
        reading = self.kind.reading(EmbeddingIndex.load(self.folder).layers)
        return JudgeDataModule(self.folder, self.batch_size, self.seed, reading)

    def run(
        self,
        place: Place | None,
        logger: Logger | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> JudgeModule:
        """Trains from the last checkpoint on, or this process's share of every batch."""
        data = self.data()
        layers = data.index.layers
        bank = head_class(self.kind.name).bank()(
            from_first_process(lambda: feature_scale(self.folder, data.index, data.reading)),
            self.kind.candidates(layers),
            read_options(self.kind.name, self.kind.options, layers),
            self.seed,
        )
        module = JudgeModule(
            bank,
            weights=self.weights,
            lr=self.lr,
            weight_decay=self.weight_decay,
            threshold=self.threshold,
        )
        saved = self.checkpoints / f"{_CHECKPOINT}.ckpt"
        with quiet_lightning():
            trainer = self._trainer(place, logger, callbacks)
            try:
                trainer.fit(module, data, ckpt_path=saved if saved.exists() else None)
            except SystemExit as stop:
                # Lightning turns Ctrl-C into an exit; the caller decides what Ctrl-C means.
                raise KeyboardInterrupt from stop
        return module.eval()

    def _trainer(
        self, place: Place | None, logger: Logger | None, callbacks: Sequence[Callback]
    ) -> Trainer:
        return Trainer(
            accelerator="cpu",
            devices=1 if place is None else place.processes,
            # Every process changes its buffers in the same way: nothing is to be sent.
            strategy="auto" if place is None else DDPStrategy(broadcast_buffers=False),
            plugins=None if place is None else [KnownRank(place)],
            max_epochs=self.max_epochs,
            logger=logger if logger is not None else False,
            callbacks=[
                ResumableEarlyStopping(
                    "validation/best_loss",
                    patience=self.patience,
                    min_delta=_SMALLEST_IMPROVEMENT,
                    check_on_train_epoch_end=True,
                ),
                ModelCheckpoint(
                    self.checkpoints,
                    filename=_CHECKPOINT,
                    save_on_train_epoch_end=True,
                    enable_version_counter=False,
                ),
                *callbacks,
            ],
            reload_dataloaders_every_n_epochs=1,
            default_root_dir=self.checkpoints,
            num_sanity_val_steps=0,
            enable_progress_bar=False,
            enable_model_summary=False,
        )


def export_heads(
    module: JudgeModule,
    index: EmbeddingIndex,
    folder: Path,
    *,
    threshold: float,
    kind: HeadKind = LINEAR,
) -> None:
    """Writes every head, for embeddings as they are, to ``folder/layer-<the last it reads>``."""
    head = head_class(kind.name)
    options = read_options(kind.name, kind.options, index.layers)
    counted = kind.reading(index.layers).counted(index)
    for place, (layers, score) in enumerate(zip(module.bank.heads, module.scores(), strict=True)):
        config = HeadConfig(
            hidden_size=index.hidden_size,
            layer=score.layer,
            layers_of_target=index.layers,
            threshold=threshold,
            target=index.target,
            kind=kind.name,
            provenance={
                "train_tokens": counted.tokens("train"),
                "train_mistake_tokens": counted.mistakes("train"),
                "validation_auroc": score.auroc,
                "validation_average_precision": score.average_precision,
            },
            layers=layers if head.several_layers else (),
            # Which layers were asked for is what the head says of itself anyway.
            options={name: options[name] for name in options if name not in ("layer", "layers")},
            draft_hidden_size=index.draft_hidden_size if head.reads_draft_embedding else 0,
            draft=index.draft if head.reads_draft_embedding else "",
        )
        trained = head.from_tensors(config, module.best.exported(place))
        trained.save_pretrained(folder / f"layer-{score.layer:02d}")


def feature_scale(folder: Path, index: EmbeddingIndex, reading: Reading = ALL) -> FeatureScale:
    """Mean and standard deviation of every dimension over the train split, block by block."""
    layers = range(index.layers) if reading.layers is None else reading.layers
    moments = [_moments(folder, index, replace(reading, layers=(n,), draft=False)) for n in layers]
    mean, std = (torch.stack(rows) for rows in zip(*moments, strict=True))
    if not reading.draft:
        return FeatureScale(mean, std)
    return FeatureScale(mean, std, *_moments(folder, index, replace(reading, layers=())))


def _moments(folder: Path, index: EmbeddingIndex, reading: Reading) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (hidden,) float64 of one layer, or of the draft's states."""
    total: Tensor | float = 0.0
    squares: Tensor | float = 0.0
    for shard in index.of("train"):
        layers, _, draft, rows = map_tokens(folder, index, shard, reading)
        states = layers[0] if draft is None else draft
        if reading.mismatches_only:
            states = states[rows]
        for block in states.split(_BLOCK):
            exact = block.double()
            total = total + exact.sum(0)
            squares = squares + exact.square_().sum(0)
    count = reading.counted(index).tokens("train")
    total, squares = torch.as_tensor(total), torch.as_tensor(squares)
    mean = total / count
    std = (squares / count - mean.square()).clamp(min=0).sqrt()
    # A dimension that never moved says nothing; dividing by its rounding error would shout.
    return mean, torch.where(std > 1e-6 * mean.abs().clamp(min=1.0), std, 1.0)


def require_both_classes(index: EmbeddingIndex, split: str, which: str = "") -> None:
    """Raises UserError when a split lacks correct tokens or mistakes.

    ``which`` of the tokens are counted in the index: ``mismatched`` ones, or empty for all.
    """
    mistakes = index.mistakes(split)
    if mistakes == 0 or mistakes == index.tokens(split):
        raise UserError(
            f"data.shares.{split}",
            f"the {split} split has {index.tokens(split)} {which}labelled tokens, {mistakes} of"
            " them mistakes",
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
