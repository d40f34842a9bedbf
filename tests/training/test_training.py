"""All layers' heads are trained side by side, each as if alone, and exactly resumable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from judge_lightning.datamodule import JudgeDataModule, ShardBatches
from judge_lightning.embeddings import EmbeddingIndex
from judge_lightning.errors import UserError
from judge_lightning.heads import JudgeHead
from judge_lightning.layer_scores import LayerScore, choose_layer
from judge_lightning.module import ClassWeights, JudgeModule
from judge_lightning.reading import ALL, Reading, read_tokens
from judge_lightning.training import export_heads, feature_scale, train_heads

Make = Callable[..., EmbeddingIndex]


class Killed(BaseException):
    """Ends a training where it stands, as a kill does."""


def train(folder: Path, checkpoints: Path, **changes: Any) -> JudgeModule:
    settings: dict[str, Any] = {
        "lr": 0.02,
        "weight_decay": 0.1,
        "batch_size": 50,
        "max_epochs": 6,
        "patience": 3,
        "threshold": 0.5,
    }
    return train_heads(folder, checkpoints, **{**settings, **changes})


def test_the_layer_that_knows_the_label_is_chosen(embeddings: Path, tmp_path: Path) -> None:
    scores = train(embeddings, tmp_path / "checkpoints").scores()

    assert choose_layer(scores) == 1
    assert scores[1].auroc > 0.97
    assert scores[1].recall > 0.8
    assert max(scores[0].auroc, scores[2].auroc) < 0.75


@pytest.mark.parametrize("epoch", [1, 4])
def test_a_killed_training_ends_in_the_same_bytes(
    embeddings: Path, tmp_path: Path, epoch: int
) -> None:
    def kill(begun: int) -> None:
        if begun == epoch:
            raise Killed

    index = EmbeddingIndex.load(embeddings)
    whole = train(embeddings, tmp_path / "whole")
    with pytest.raises(Killed):
        train(embeddings, tmp_path / "parts", on_epoch=kill)
    parts = train(embeddings, tmp_path / "parts")
    export_heads(whole, index, tmp_path / "a", threshold=0.5)
    export_heads(parts, index, tmp_path / "b", threshold=0.5)

    assert torch.equal(whole.bank.weight, parts.bank.weight)
    for path in (tmp_path / "a").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


def test_a_kill_in_the_middle_of_an_epoch_repeats_that_epoch(
    embeddings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(embeddings, tmp_path / "whole")
    step = JudgeModule.training_step

    def kill(module: JudgeModule, batch: Any, batch_index: int) -> torch.Tensor:
        if module.current_epoch == 2 and batch_index == 5:
            raise Killed
        return step(module, batch, batch_index)

    monkeypatch.setattr(JudgeModule, "training_step", kill)
    with pytest.raises(Killed):
        train(embeddings, tmp_path / "parts")
    monkeypatch.undo()

    assert torch.equal(train(embeddings, tmp_path / "parts").bank.weight, whole.bank.weight)


def test_a_training_that_had_stopped_early_does_not_go_on(
    make_embeddings: Make, tmp_path: Path
) -> None:
    make_embeddings(tmp_path / "noise", layer=0, share=0.5)
    folder, checkpoints = tmp_path / "noise", tmp_path / "checkpoints"
    stopped = train(folder, checkpoints, lr=1.0, patience=1, max_epochs=20)
    begun: list[int] = []

    again = train(folder, checkpoints, lr=1.0, patience=1, max_epochs=20, on_epoch=begun.append)

    assert begun == []
    assert torch.equal(again.bank.weight, stopped.bank.weight)


def test_a_layer_ends_where_it_would_have_ended_alone(embeddings: Path, tmp_path: Path) -> None:
    together = train(embeddings, tmp_path / "together", patience=10)
    index = EmbeddingIndex.load(embeddings)
    alone_folder = tmp_path / "alone"
    _keep_layer(embeddings, alone_folder, index, layer=2)
    alone = train(alone_folder, tmp_path / "checkpoints", patience=10)

    torch.testing.assert_close(alone.best.weight[0], together.best.weight[2])


def test_the_exported_head_reads_embeddings_as_they_are(embeddings: Path, tmp_path: Path) -> None:
    module = train(embeddings, tmp_path / "checkpoints", max_epochs=2)
    index = EmbeddingIndex.load(embeddings)
    export_heads(module, index, tmp_path / "heads", threshold=0.25)
    head = JudgeHead.from_pretrained(tmp_path / "heads" / "layer-01", expected_target="target")
    states = read_tokens(embeddings, index, index.shards[0], ALL).embeddings
    module.bank.load_state_dict(module.best.state_dict())

    torch.testing.assert_close(
        head(states[:, 1]), module(states.float())[:, 1], atol=1e-4, rtol=1e-4
    )
    assert (head.config.layer, head.config.threshold) == (1, 0.25)


def test_features_are_standardised_by_the_train_split(embeddings: Path) -> None:
    index = EmbeddingIndex.load(embeddings)

    scale = feature_scale(embeddings, index)

    train_shards = [read_tokens(embeddings, index, shard, ALL) for shard in index.of("train")]
    states = torch.cat([tokens.embeddings for tokens in train_shards]).double()
    torch.testing.assert_close(scale.mean, states.mean(0))
    torch.testing.assert_close(scale.std, states.std(0, correction=0))


def test_every_epoch_has_its_own_order_and_all_tokens(embeddings: Path) -> None:
    index = EmbeddingIndex.load(embeddings)

    def order(seed: int) -> list[float]:
        batches = ShardBatches(embeddings, index, "train", 64, seed)
        assert len(batches) == len(list(batches))
        return torch.cat([batch.embeddings[:, 0, 0] for batch in batches]).tolist()

    assert order(0) == order(0)
    assert order(0) != order(1)
    assert sorted(order(0)) == sorted(order(1))
    assert JudgeDataModule(embeddings, 64, 0).index == index


@pytest.mark.parametrize(("mistakes", "correct"), [(10, 990), (300, 100)])
def test_both_classes_weigh_the_same_by_default(mistakes: int, correct: int) -> None:
    weights = ClassWeights.of(mistakes, correct, positive_weight=None)

    assert weights.mistake * mistakes == pytest.approx(weights.correct * correct)
    total = weights.mistake * mistakes + weights.correct * correct
    assert total == pytest.approx(mistakes + correct)


def test_the_later_of_two_equally_good_layers_is_chosen() -> None:
    scores = [LayerScore(layer, 0, 0.1, 0.9, 0.8, 0.9, 0.9) for layer in range(3)]

    assert choose_layer(scores) == 2


def test_a_split_without_mistakes_is_refused(make_embeddings: Make, tmp_path: Path) -> None:
    make_embeddings(tmp_path / "embeddings", share=0.0)

    with pytest.raises(UserError, match="mistakes") as error:
        train(tmp_path / "embeddings", tmp_path / "checkpoints")

    assert error.value.field == "data.shares.train"


def _keep_layer(source: Path, folder: Path, index: EmbeddingIndex, layer: int) -> None:
    from safetensors.torch import save_file

    folder.mkdir()
    for shard in index.shards:
        states, labels, _ = read_tokens(source, index, shard, Reading(layers=(layer,)))
        save_file({"layer.0": states[:, 0].contiguous(), "labels": labels}, folder / shard.file)
    EmbeddingIndex(1, index.hidden_size, index.dtype, index.target, index.shards).save(folder)
