"""How long, and in how much memory, heads are trained on many tokens of wide embeddings.

Writes synthetic embeddings and trains on them with ``conf/judge/paper.yaml`` in a process of its
own, whose peak memory counts everything: libraries, and the shards that the system maps for it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.measuring import note, parser_for, print_table, run_script, save, start
from benchmarks.memory import peak_bytes
from benchmarks.subjects import pair_config
from benchmarks.synthetic_embeddings import Synthetic, mean_difference_auroc
from judge_lightning.training import train_heads


@dataclass(frozen=True)
class Paper:
    """What the head is trained with."""

    lr: float
    weight_decay: float
    batch_size: int
    max_epochs: int
    patience: int
    threshold: float


@dataclass(frozen=True)
class Trained:
    """One training from its first read to its last epoch: wall-clock and processor seconds.

    ``peak`` is of resident bytes, ``load`` the machine's at the end. Beside other work, with one
    thread and one process, the processor's seconds are what a quiet machine's clock would show.
    """

    seconds: float
    processor_seconds: float
    epochs: int
    best_epoch: int
    auroc: float
    peak: int | None
    load: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains on every number of tokens and writes the result."""
    given = start(_parser(), arguments)
    settings = _settings(given.max_epochs)
    rows = []
    for tokens in [600] if given.quick else given.tokens:
        width, rank = (64, 16) if given.quick else (given.width, given.rank)
        data = Synthetic(tokens, width, given.layers, rank=rank)
        rows.append(_measure(data, settings, given.folder, given.processes))
    print_table(
        "Training at scale",
        ["tokens", "width", "rank", "layers", "epochs", "best", "time", "processor", "peak memory",
         "AUROC", "class means", "ceiling"],
        [_row(row) for row in rows],
    )  # fmt: skip
    note(
        f"stops after {settings.patience} epochs that are not better, {settings.max_epochs} at most"
    )
    note("class means, ceiling: AUROC of the train split's class means, of the true direction")
    save("training_scale", {"settings": asdict(settings), "rows": rows}, given.out)


def _parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument(
        "--tokens", type=int, nargs="+", default=[30_000], help="of the train split"
    )
    parser.add_argument("--width", type=int, default=16_384, help="dimensions of an embedding")
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument(
        "--rank", type=int, default=256, help="directions that the noise lies in; 0: all alike"
    )
    parser.add_argument("--max-epochs", type=int, help="fewer than the paper's settings allow")
    parser.add_argument("--processes", type=int, default=1, help="as judge.processes")
    parser.add_argument("--folder", type=Path, help="where the embeddings are written for a while")
    return parser


def _settings(max_epochs: int | None) -> Paper:
    judge = pair_config("micro", ["judge=paper"]).judge
    return Paper(
        judge.lr,
        judge.weight_decay,
        judge.batch_size,
        max_epochs or judge.max_epochs,
        judge.patience,
        judge.threshold,
    )


def _measure(
    data: Synthetic, settings: Paper, folder: Path | None, processes: int
) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="training-scale-", dir=folder) as name:
        index = data.write(Path(name))
        # A process of its own, whose peak is this training's.
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn) as pool:
            task = pool.submit(_train, Path(name), settings, processes, torch.get_num_threads())
            trained = task.result()
        return {
            **asdict(data),
            **asdict(trained),
            "class_means": mean_difference_auroc(Path(name), index),
            "ceiling": data.ceiling,
        }


def _train(folder: Path, settings: Paper, processes: int, threads: int) -> Trained:
    torch.set_num_threads(threads)
    begun: list[int] = []
    with tempfile.TemporaryDirectory() as checkpoints:
        clock, processor = time.perf_counter(), time.process_time()
        module = train_heads(
            folder,
            Path(checkpoints),
            **asdict(settings),
            processes=processes,
            on_epoch=begun.append,
        )
        seconds = time.perf_counter() - clock
        processor_seconds = time.process_time() - processor
    score = module.scores()[0]
    peak = peak_bytes(torch.device("cpu"))
    return Trained(
        seconds,
        processor_seconds,
        len(begun),
        score.epoch + 1,
        score.auroc,
        peak,
        os.getloadavg()[0],
    )


def _row(row: dict[str, Any]) -> list[str]:
    return [
        f"{row['tokens']:,}",
        f"{row['width']:,}",
        str(row["rank"] or "full"),
        str(row["layers"]),
        str(row["epochs"]),
        str(row["best_epoch"]),
        f"{row['seconds']:.1f} s",
        f"{row['processor_seconds']:.1f} s",
        "not known" if row["peak"] is None else f"{row['peak'] / 2**20:,.0f} MiB",
        *(f"{row[name]:.4f}" for name in ("auroc", "class_means", "ceiling")),
    ]


if __name__ == "__main__":
    run_script(main)
