"""The benchmarks of training run and write what they promise; their times are not asserted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torchmetrics.functional.classification import binary_auroc

from benchmarks import layer_pass, training_scale
from benchmarks.synthetic_embeddings import Synthetic, mean_difference_auroc
from judge_lightning.errors import UserError
from judge_lightning.reading import ALL, read_tokens


def test_training_at_scale_reports_time_memory_and_how_good_the_head_is(tmp_path: Path) -> None:
    out = tmp_path / "r.json"

    training_scale.main(["--quick", "--threads", "1", "--max-epochs", "3", "--out", str(out)])

    (row,) = json.loads(out.read_text())["rows"]
    assert (row["tokens"], row["width"], row["epochs"]) == (600, 64, 3)
    assert row["auroc"] > 0.9
    assert min(row["seconds"], row["processor_seconds"], row["peak"]) > 0


def test_one_pass_for_all_layers_is_held_against_one_layer(tmp_path: Path) -> None:
    out = tmp_path / "r.json"

    layer_pass.main(["--quick", "--threads", "1", "--out", str(out)])

    (row,) = json.loads(out.read_text())["rows"]
    assert (row["layers"], row["width"], row["tokens"]) == (2, 16, 500)
    assert row["ratio"] == row["seconds"]["all"] / row["seconds"]["one"]


def test_synthetic_embeddings_are_as_hard_as_they_say(tmp_path: Path) -> None:
    data = Synthetic(20_000, 4, separation=2.0, shard_tokens=7_000)

    index = data.write(tmp_path)

    assert index.tokens("train") == 20_000
    assert [shard.tokens for shard in index.of("train")] == [7_000, 7_000, 6_000]
    assert index.mistakes("train") == pytest.approx(1_000, rel=0.15)
    assert mean_difference_auroc(tmp_path, index) == pytest.approx(data.ceiling, abs=0.02)


def test_noise_of_a_low_rank_lies_in_few_directions_and_is_as_hard(tmp_path: Path) -> None:
    data = Synthetic(4_000, 32, separation=2.0, rank=4)

    index = data.write(tmp_path)

    states, labels, _ = read_tokens(tmp_path, index, index.of("train")[0], ALL)
    centred = (states[:, 0].float() - states[:, 0].float().mean(0)).double()
    spectrum = torch.linalg.svdvals(centred) ** 2
    assert float(spectrum[:4].sum() / spectrum.sum()) > 0.999
    first, second = (centred[labels == label] for label in (0, 1))
    within = torch.cat([first - first.mean(0), second - second.mean(0)])
    fisher = torch.linalg.lstsq(within.T @ within, (second.mean(0) - first.mean(0))[:, None],
                                rcond=1e-6, driver="gelsd").solution[:, 0]  # fmt: skip
    auroc = binary_auroc((centred @ fisher), labels.long())
    assert float(auroc) == pytest.approx(data.ceiling, abs=0.02)


def test_a_shape_that_is_none_is_refused() -> None:
    with pytest.raises(UserError, match="no shape"):
        layer_pass.main(["--shapes", "6by128"])
