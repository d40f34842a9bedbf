"""train: a judge head for every layer, all in one run, and the layer that judges best.

``judge.layer`` belongs to calibrate: another layer needs no other training. Of a kind that reads
several layers, or one alone, there is one head, which is listed under its last layer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from judge_lightning.errors import UserError
from pipelines.config import RunConfig
from pipelines.judge_heads import check_head, head_kind
from pipelines.stage import Recorder, Stage, StageContext


class Train(Stage):
    """Writes ``heads/layer-<number>/``, ``layers.json`` and ``chosen.json``."""

    name = "train"
    reads = ("embed",)

    def settings(self, config: RunConfig) -> dict[str, Any]:
        """All that training reads of the judge's configuration."""
        judge = config.judge
        names = (
            "head", "lr", "weight_decay", "batch_size", "max_epochs", "patience",
            "positive_weight", "threshold", "seed",
        )  # fmt: skip
        options = {"options": dict(judge.options)} if judge.options else {}
        return {name: getattr(judge, name) for name in names} | options

    def validate(self, config: RunConfig) -> None:
        """Refuses a head that does not exist and numbers that train nothing."""
        judge = config.judge
        check_head(config)
        if not 0.0 <= judge.threshold <= 1.0:
            raise UserError(
                "judge.threshold", f"{judge.threshold} is no probability", "give 0 to 1"
            )
        for name in ("lr", "batch_size", "max_epochs", "patience", "processes"):
            if getattr(judge, name) <= 0:
                raise UserError(f"judge.{name}", "must be positive", "give more than 0")
        if judge.positive_weight is not None and judge.positive_weight <= 0:
            raise UserError(
                "judge.positive_weight", "must be positive", "null balances the two classes"
            )

    def run(self, context: StageContext) -> None:
        """Trains (or goes on from the last epoch) and exports every layer's head."""
        from judge_lightning.embeddings import EmbeddingIndex
        from judge_lightning.layer_scores import choose_layer
        from judge_lightning.training import export_heads, train_heads

        judge = context.config.judge
        folder = context.inputs["embed"]
        index = EmbeddingIndex.load(folder)
        kind = head_kind(judge)
        module = train_heads(
            folder,
            context.work / "scratch" / "checkpoints",
            lr=judge.lr,
            weight_decay=judge.weight_decay,
            batch_size=judge.batch_size,
            max_epochs=judge.max_epochs,
            patience=judge.patience,
            threshold=judge.threshold,
            positive_weight=judge.positive_weight,
            seed=judge.seed,
            processes=judge.processes,
            logger=context.recorder.lightning_logger(),
            on_epoch=_epoch_bar(context.recorder, judge.max_epochs),
            kind=kind,
        )
        export_heads(module, index, context.work / "heads", threshold=judge.threshold, kind=kind)
        scores = module.scores()
        chosen = choose_layer(scores)
        best = next(score for score in scores if score.layer == chosen)
        _write(context, "layers.json", [asdict(score) for score in scores])
        _write(context, "chosen.json", {"layer": chosen, "layers": index.layers})
        context.recorder.metric("layer", chosen)
        context.recorder.metric("parameters", module.parameters_per_head)
        for score in scores:
            for name in ("auroc", "average_precision", "recall", "kept"):
                context.recorder.metric(f"layers/{score.layer:02d}/{name}", getattr(score, name))
        for name in ("epoch", "loss", "auroc", "average_precision", "recall", "kept"):
            context.recorder.metric(name, getattr(best, name))


def _epoch_bar(recorder: Recorder, epochs: int) -> Callable[[int], None]:
    """A progress bar that is moved on by the beginning of every epoch."""
    bar: Iterator[int] | None = None

    def begin(epoch: int) -> None:
        nonlocal bar
        if bar is None:
            bar = recorder.progress(range(epoch, epochs), total=epochs, unit="epoch", done=epoch)
        next(bar, None)

    return begin


def _write(context: StageContext, name: str, content: Any) -> None:
    text = json.dumps(content, indent=1, sort_keys=True)
    (context.work / name).write_text(text + "\n", encoding="utf-8")


STAGE = Train()
