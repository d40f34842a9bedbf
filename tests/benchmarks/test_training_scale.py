"""The benchmarks of training run and write what they promise; their times are not asserted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import layer_pass, training_scale
from benchmarks.synthetic_embeddings import Synthetic, mean_difference_auroc
from judge_lightning.errors import UserError


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


def test_a_shape_that_is_none_is_refused() -> None:
    with pytest.raises(UserError, match="no shape"):
        layer_pass.main(["--shapes", "6by128"])
