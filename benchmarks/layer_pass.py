"""What training the heads of all layers in one pass costs beside training one layer's head.

The same shards and settings, a fixed number of epochs; for the one layer, the others are not read.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measuring import (
    CLOCKS,
    Clock,
    add_clock,
    note,
    parser_for,
    print_table,
    run_script,
    save,
    start,
)
from benchmarks.subjects import pair_config
from benchmarks.synthetic_embeddings import Synthetic
from judge_lightning.embeddings import EmbeddingIndex
from judge_lightning.errors import UserError
from judge_lightning.training import train_heads
from pipelines.config import JudgeConfig

_SHAPES = ("6x128", "8x2048")
_GOAL = 1.3


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures every shape, or the given embeddings, and writes the result."""
    given = start(_parser(), arguments)
    judge = pair_config("micro", [f"judge={given.judge}"]).judge
    epochs, rounds = (1, 1) if given.quick else (given.epochs, given.rounds)
    with tempfile.TemporaryDirectory(prefix="layer-pass-", dir=given.folder) as name:
        folders = [given.embeddings] if given.embeddings else []
        for shape in () if given.embeddings else ("2x16",) if given.quick else given.shapes:
            layers, width = _shape(shape)
            folders.append(Path(name) / shape)
            Synthetic(500 if given.quick else given.tokens, width, layers).write(folders[-1])
        clock = CLOCKS[given.clock]
        rows = [_measure(folder, judge, epochs, rounds, clock) for folder in folders]
    print_table(
        f"One pass for all layers (judge={given.judge}, batch {judge.batch_size})",
        ["layers x width", "tokens", "one layer", "all layers", "ratio", f"goal {_GOAL}"],
        [_row(row) for row in rows],
    )
    note(f"seconds of {epochs} epochs, {given.clock} time, median of {rounds}")
    save("layer_pass", {"judge": given.judge, "epochs": epochs, "rows": rows}, given.out)


def _parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--shapes", nargs="+", default=_SHAPES, help="layers x width, synthetic")
    parser.add_argument("--tokens", type=int, default=30_000, help="of the synthetic train split")
    parser.add_argument("--embeddings", type=Path, help="an artifact of the stage embed instead")
    parser.add_argument("--judge", default="micro", help="whose settings, of conf/judge")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the embeddings are written for a while")
    add_clock(parser)
    return parser


def _shape(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)x(\d+)", text)
    if found is None:
        raise UserError("--shapes", f"{text!r} is no shape", "give layers x width, such as 6x128")
    return int(found[1]), int(found[2])


def _measure(
    folder: Path, judge: JudgeConfig, epochs: int, rounds: int, clock: Clock
) -> dict[str, Any]:
    index = EmbeddingIndex.load(folder)

    def train(source: Path) -> None:
        with tempfile.TemporaryDirectory() as checkpoints:
            train_heads(
                source,
                Path(checkpoints),
                lr=judge.lr,
                weight_decay=judge.weight_decay,
                batch_size=judge.batch_size,
                max_epochs=epochs,
                patience=epochs,
                threshold=judge.threshold,
            )

    with tempfile.TemporaryDirectory() as name:
        alone = _first_layer(folder, index, Path(name))
        taken: dict[str, list[float]] = {"one": [], "all": []}
        for _ in range(rounds):
            for key, source in (("one", alone), ("all", folder)):
                began = clock()
                train(source)
                taken[key].append(clock() - began)
    seconds = {key: median(values) for key, values in taken.items()}
    return {
        "layers": index.layers,
        "width": index.hidden_size,
        "tokens": index.tokens("train"),
        "seconds": seconds,
        "ratio": seconds["all"] / seconds["one"],
    }


def _first_layer(folder: Path, index: EmbeddingIndex, alone: Path) -> Path:
    """The same shards as an index that knows of their first layer only."""
    for shard in index.shards:
        (alone / shard.file).symlink_to((folder / shard.file).absolute())
    replace(index, layers=1).save(alone)
    return alone


def _row(row: dict[str, Any]) -> list[str]:
    return [
        f"{row['layers']} x {row['width']:,}",
        f"{row['tokens']:,}",
        f"{row['seconds']['one']:.2f} s",
        f"{row['seconds']['all']:.2f} s",
        f"{row['ratio']:.2f}",
        "reached" if row["ratio"] <= _GOAL else "missed",
    ]


if __name__ == "__main__":
    run_script(main)
