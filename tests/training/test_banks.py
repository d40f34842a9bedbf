"""Each kind of head learns what it is for, and ends in weights for embeddings as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from judge_lightning.calibration import held_out
from judge_lightning.embeddings import EmbeddingIndex, Shard
from judge_lightning.errors import UserError
from judge_lightning.heads import JudgeHead
from judge_lightning.heads.bank import FeatureScale, HeadBank
from judge_lightning.heads.linear import LinearBank
from judge_lightning.module import JudgeModule
from judge_lightning.training import HeadKind, export_heads, feature_scale, train_heads

LAYERS, HIDDEN, DRAFT = 3, 4, 3
MLP, BOTH = HeadKind("mlp", {"hidden": 16}), HeadKind("layers", {"layers": [-1, 0]})
AUTOJUDGE = HeadKind("autojudge")
KINDS = [HeadKind(), MLP, BOTH, AUTOJUDGE]
SETTINGS: dict[str, Any] = {
    "lr": 0.02, "weight_decay": 0.1, "batch_size": 100, "max_epochs": 12, "patience": 12,
    "threshold": 0.5,
}  # fmt: skip

Teach = Callable[[dict[str, Tensor], Tensor], Tensor]
"""Of a shard's states and signs (tokens, 2) of -1 or 1: writes what is to be learnt into the states
and gives the labels."""


def xor(states: dict[str, Tensor], signs: Tensor) -> Tensor:
    """Layer 1 says correct where two of its dimensions agree."""
    states["layer.1"][:, :2] += 3 * signs
    return signs[:, 0] == signs[:, 1]


def split_over_layers(states: dict[str, Tensor], signs: Tensor) -> Tensor:
    """Only the first and the last layer's signs together say what is correct."""
    noise = 6 * torch.randn(len(signs), generator=torch.Generator().manual_seed(len(signs)))
    correct = signs[:, 0] > 0
    states["layer.0"][:, 0] += noise
    states["layer.2"][:, 0] += 3 * signs[:, 0] - noise
    return correct


def said_by_both(states: dict[str, Tensor], signs: Tensor) -> Tensor:
    """Draft and target each know a half of it. Among the target's own tokens nothing is as here."""
    states["draft"][:, 0] += 3 * signs[:, 0]
    states["layer.2"][:, 0] += 3 * signs[:, 1]
    correct = signs.sum(1) > 0
    return torch.where(states["mismatch"], correct, ~correct)


def write(folder: Path, teach: Teach, *, draft: bool = False) -> EmbeddingIndex:
    folder.mkdir(parents=True)
    generator = torch.Generator().manual_seed(0)
    shards = []
    for number, (split, tokens) in enumerate(
        [("train", 900), ("train", 901), ("validation", 700), ("calibration", 700)]
    ):
        states = {
            f"layer.{layer}": 5 + 2 * torch.randn(tokens, HIDDEN, generator=generator) / 2
            for layer in range(LAYERS)
        }
        if draft:
            states["draft"] = 1 + torch.randn(tokens, DRAFT, generator=generator)
            states["mismatch"] = torch.rand(tokens, generator=generator) < 0.4
        signs = torch.randint(2, (tokens, 2), generator=generator) * 2.0 - 1
        labels = teach(states, signs).to(torch.int8)
        places = torch.arange(tokens)
        facts = {
            "labels": labels,
            "tuple": places.int(),
            "answer": (places % 2).to(torch.int8),
            "position": (places % 5).int(),
            "prompt": places + 1000 * number,
        }
        file = f"shard-{number:05d}.safetensors"
        save_file({**states, **facts}, folder / file)
        there = labels[states["mismatch"]] if draft else labels[:0]
        counts = (tokens, int((labels == 0).sum()), len(there), int((there == 0).sum()))
        shards.append(Shard(file, split, 1, *counts))
    drafted = {"draft_hidden_size": DRAFT, "draft": "small"} if draft else {}
    index = EmbeddingIndex(LAYERS, HIDDEN, "float32", "target", tuple(shards), **drafted)
    index.save(folder)
    return index


def train(folder: Path, checkpoints: Path, kind: HeadKind, **changes: Any) -> JudgeModule:
    return train_heads(folder, checkpoints, kind=kind, **{**SETTINGS, **changes})


def trained(folder: Path, root: Path, kind: HeadKind, layer: int) -> JudgeHead:
    module = train(folder, root / kind.name, kind)
    heads = root / f"{kind.name}-heads"
    export_heads(module, EmbeddingIndex.load(folder), heads, threshold=0.5, kind=kind)
    return JudgeHead.from_pretrained(heads / f"layer-{layer:02d}", expected_target="target")


def right(head: JudgeHead, folder: Path) -> float:
    """Share of the calibration tokens that the head reads and judges rightly."""
    tokens = held_out(head, folder)
    return float(((tokens.probability > 0.5) == (tokens.labels == 1)).double().mean())


@pytest.fixture
def everything(tmp_path: Path) -> Path:
    """A folder from which every kind can be trained."""
    write(tmp_path / "everything", said_by_both, draft=True)
    return tmp_path / "everything"


def test_hidden_units_learn_what_no_linear_head_can(tmp_path: Path) -> None:
    folder = tmp_path / "xor"
    write(folder, xor)

    assert right(trained(folder, tmp_path, MLP, 1), folder) > 0.95
    assert right(trained(folder, tmp_path, HeadKind(), 1), folder) < 0.65


def test_a_head_over_several_layers_joins_what_each_knows_a_part_of(tmp_path: Path) -> None:
    folder = tmp_path / "split"
    write(folder, split_over_layers)

    head = trained(folder, tmp_path, BOTH, 2)

    assert head.layers_read == (0, 2)
    assert right(head, folder) > 0.95
    assert right(trained(folder, tmp_path, HeadKind(), 2), folder) < 0.8


def test_autojudge_learns_from_mismatches_alone_and_from_both_models(
    everything: Path, tmp_path: Path
) -> None:
    head = trained(everything, tmp_path, AUTOJUDGE, 2)

    tokens = held_out(head, everything)
    states = load_file(everything / "shard-00003.safetensors")
    assert torch.equal(tokens.labels, states["labels"][states["mismatch"]])
    assert torch.equal(tokens.prompt, states["prompt"][states["mismatch"]])
    assert right(head, everything) > 0.9
    counts = EmbeddingIndex.load(everything).of("train")
    assert head.config.provenance["train_tokens"] == sum(shard.mismatches for shard in counts)
    assert (head.config.draft_hidden_size, head.config.draft) == (DRAFT, "small")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_exported_heads_read_embeddings_as_they_are(
    everything: Path, tmp_path: Path, kind: HeadKind
) -> None:
    index = EmbeddingIndex.load(everything)
    module = train(everything, tmp_path / "checkpoints", kind, max_epochs=2)
    export_heads(module, index, tmp_path / "heads", threshold=0.5, kind=kind)
    states = load_file(everything / "shard-00000.safetensors")
    embeddings = torch.stack([states[f"layer.{n}"] for n in module.bank.layers], 1)

    logits = module.best(embeddings, states["draft"])

    for place, layers in enumerate(module.bank.heads):
        head = JudgeHead.from_pretrained(tmp_path / "heads" / f"layer-{layers[-1]:02d}")
        assert head.layers_read == layers
        read = torch.stack([states[f"layer.{n}"] for n in layers], 1)
        said = head(read if head.several_layers else read[:, 0], states["draft"])
        torch.testing.assert_close(said, logits[:, place], atol=1e-4, rtol=1e-4)
        assert module.parameters_per_head == head.parameters_count


class Killed(BaseException):
    """Ends a training where it stands, as a kill does."""


@pytest.mark.parametrize("kind", KINDS[1:], ids=lambda kind: kind.name)
def test_a_killed_training_ends_in_the_same_bytes(
    everything: Path, tmp_path: Path, kind: HeadKind
) -> None:
    def kill(begun: int) -> None:
        if begun == 2:
            raise Killed

    whole = train(everything, tmp_path / "whole", kind, max_epochs=4)
    with pytest.raises(Killed):
        train(everything, tmp_path / "parts", kind, max_epochs=4, on_epoch=kill)
    parts = train(everything, tmp_path / "parts", kind, max_epochs=4)

    for name, value in whole.state_dict().items():
        assert torch.equal(value, parts.state_dict()[name]), name


def test_linear_heads_are_trained_as_a_plain_loop_trains_them(
    everything: Path, tmp_path: Path
) -> None:
    """The mathematics of a step, written down once more without Lightning or banks."""
    index = EmbeddingIndex.load(everything)
    module = train(
        everything, tmp_path / "checkpoints", HeadKind(), max_epochs=1, positive_weight=1.0
    )
    scale = feature_scale(everything, index)
    weight = torch.zeros(LAYERS, HIDDEN, requires_grad=True)
    bias = torch.zeros(LAYERS, requires_grad=True)
    decay = [{"params": [weight]}, {"params": [bias], "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(decay, lr=SETTINGS["lr"], weight_decay=0.1)
    order = torch.Generator().manual_seed(0)
    for place in torch.randperm(2, generator=order).tolist():
        states = load_file(everything / f"shard-{place:05d}.safetensors")
        embeddings = torch.stack([states[f"layer.{n}"] for n in range(LAYERS)], 1)
        labels = states["labels"].float()
        for rows in torch.randperm(len(labels), generator=order).split(100):
            standardised = (embeddings[rows] - scale.mean.float()) / scale.std.float()
            logits = (standardised * weight).sum(-1) + bias
            wanted = labels[rows, None].expand_as(logits)
            losses = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
            optimiser.zero_grad()
            losses.mean(0).sum().backward()
            optimiser.step()

    torch.testing.assert_close(module.bank.weight, weight, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(module.bank.bias, bias, atol=1e-6, rtol=1e-5)


def test_a_head_that_reads_the_draft_needs_its_states(tmp_path: Path) -> None:
    write(tmp_path / "target-only", xor)

    with pytest.raises(UserError, match="no states of the draft") as error:
        train(tmp_path / "target-only", tmp_path / "checkpoints", AUTOJUDGE)

    assert error.value.field == "embed"


def test_mismatches_of_one_class_only_are_refused(tmp_path: Path) -> None:
    def all_correct_where_they_differ(states: dict[str, Tensor], signs: Tensor) -> Tensor:
        return states["mismatch"] | (signs[:, 0] > 0)

    write(tmp_path / "one-class", all_correct_where_they_differ, draft=True)

    with pytest.raises(UserError, match="mismatched labelled tokens, 0 of them mistakes") as error:
        train(tmp_path / "one-class", tmp_path / "checkpoints", AUTOJUDGE)

    assert error.value.field == "data.shares.train"


def test_the_linear_heads_losses_and_gradients_are_those_of_autograd() -> None:
    generator = torch.Generator().manual_seed(0)
    # 3,000 x 100 numbers of a layer are more than one block of rows.
    tokens, hidden = 3_000, 100
    embeddings = torch.randn(LAYERS, tokens, hidden, generator=generator).half().transpose(0, 1)
    labels = (torch.rand(tokens, generator=generator) > 0.2).float()
    worth = torch.rand(tokens, generator=generator) / tokens
    scale = FeatureScale(
        torch.randn(LAYERS, hidden, generator=generator),
        torch.rand(LAYERS, hidden, generator=generator) + 0.5,
    )
    bank = LinearBank(scale, [(layer,) for layer in range(LAYERS)], {}, 0)
    bank.weight.data.normal_(generator=generator)
    bank.bias.data.normal_(generator=generator)

    losses = bank.losses(embeddings, None, labels, worth)
    found = torch.autograd.grad(losses @ torch.arange(1.0, 4.0), list(bank.parameters()))
    plain = HeadBank.losses(bank, embeddings, None, labels, worth)
    wanted = torch.autograd.grad(plain @ torch.arange(1.0, 4.0), list(bank.parameters()))

    torch.testing.assert_close(losses, plain)
    torch.testing.assert_close(found, wanted)
