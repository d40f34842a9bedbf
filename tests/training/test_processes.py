"""Several processes train the heads of one; their own failures are one line, not a wait."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from judge_lightning.layer_scores import choose_layer
from judge_lightning.module import JudgeModule
from judge_lightning.processes import Place, mean_over_processes, of_all_processes, side_by_side
from judge_lightning.training import train_heads


class Killed(BaseException):
    """Ends a training where it stands, as a kill does."""


def train(folder: Path, checkpoints: Path, **changes: Any) -> JudgeModule:
    # 200 tokens a shard: 37 leave a batch of 15, and shares of 19 and 18, of 8 and 7.
    settings: dict[str, Any] = {
        "lr": 0.02,
        "weight_decay": 0.1,
        "batch_size": 37,
        "max_epochs": 6,
        "patience": 2,
        "threshold": 0.5,
    }
    return train_heads(folder, checkpoints, **{**settings, **changes})


def test_two_processes_end_where_one_ends_even_after_a_kill(
    embeddings: Path, tmp_path: Path
) -> None:
    def kill(begun: int) -> None:
        if begun == 2:
            raise Killed

    begun: list[int] = []
    one = train(embeddings, tmp_path / "one", on_epoch=begun.append)
    begun_beside: list[int] = []
    with pytest.raises(Killed):
        train(embeddings, tmp_path / "two", processes=2, on_epoch=kill)
    two = train(embeddings, tmp_path / "two", processes=2, on_epoch=begun_beside.append)

    assert begun_beside == begun[2:]
    assert (one.bank.weight - two.bank.weight).abs().max() < 1e-6
    assert (one.best.weight - two.best.weight).abs().max() < 1e-6
    for score, other in zip(one.scores(), two.scores(), strict=True):
        assert asdict(score) == pytest.approx(asdict(other), abs=1e-5)
    assert [s.epoch for s in one.scores()] == [s.epoch for s in two.scores()]
    assert choose_layer(one.scores()) == choose_layer(two.scores()) == 1
    assert not torch.distributed.is_initialized()


def _add(place: Place) -> None:
    mean_over_processes(torch.tensor([float(place.rank)]))
    of_all_processes(torch.full((place.rank,), place.rank))


def test_processes_average_and_gather_what_each_of_them_has() -> None:
    with side_by_side(2, _add) as place:
        mean = mean_over_processes(torch.tensor([float(place.rank)]))
        (gathered,) = of_all_processes(torch.full((place.rank,), place.rank))

    assert mean.tolist() == [0.5]
    assert gathered.tolist() == [1]


def _fail(place: Place) -> None:
    raise ValueError(f"process {place.rank} fails")


def test_a_failure_beside_ends_the_first_process_too() -> None:
    with pytest.raises(RuntimeError), side_by_side(2, _fail):
        mean_over_processes(torch.zeros(1))
