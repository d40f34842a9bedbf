"""The shift score knows its own kind of answers, whoever wrote them, and flags others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from scipy.stats import betabinom

from judge_lightning.embeddings import EmbeddingIndex
from judge_lightning.errors import UserError
from judge_lightning.shift import (
    SHIFT_FILE,
    ShiftReference,
    ShiftWatch,
    family_shift,
    fit_shift,
)

LAYER = 1


@pytest.fixture
def reference() -> ShiftReference:
    mean, variance = torch.tensor([1.0, 0.0]), torch.tensor([4.0, 1.0])
    return ShiftReference(mean, variance, cut=4.0, rank=198, answers=199)


def test_the_score_is_the_mean_squared_deviation_in_variances(reference: ShiftReference) -> None:
    # (4 / 4 + 9 / 1) / 2
    assert reference.scores(torch.tensor([3.0, 3.0])).item() == pytest.approx(5.0)


def test_mean_and_variance_are_of_the_correct_answers_of_training(embeddings: Path) -> None:
    fitted = fit_shift(embeddings, LAYER)

    assert fitted is not None
    means = []
    for shard in EmbeddingIndex.load(embeddings).of("train"):
        tensors = load_file(embeddings / shard.file)
        for number in tensors["tuple"].unique():
            own = (tensors["tuple"] == number) & (tensors["answer"] == 0) & (tensors["labels"] == 1)
            if own.any():
                means.append(tensors[f"layer.{LAYER}"][own].float().mean(0))
    stacked = torch.stack(means)
    torch.testing.assert_close(fitted.mean, stacked.mean(0), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(fitted.variance, stacked.var(0), rtol=1e-3, atol=1e-4)


def test_the_cut_is_a_calibration_answers_score(embeddings: Path) -> None:
    fitted = fit_shift(embeddings, LAYER)

    # Twenty prompts are too few for the 99 % quantile: the largest score is taken.
    assert fitted is not None
    assert (fitted.answers, fitted.rank) == (20, 20)
    assert fitted.chance_of(1, 1) == pytest.approx(1 / 21)


def test_answers_of_the_same_kind_are_seldom_flagged_and_others_are(
    make_embeddings: Callable[..., EmbeddingIndex], tmp_path: Path
) -> None:
    make_embeddings(tmp_path, tokens=4000)
    fitted = fit_shift(tmp_path, LAYER)
    assert fitted is not None
    means, variance = fitted.mean, fitted.variance
    generator = torch.Generator().manual_seed(7)
    same = means + variance.sqrt() * torch.randn(500, len(means), generator=generator)
    other = same + 3 * variance.sqrt()

    at_home = family_shift(fitted, fitted.scores(same).tolist())
    elsewhere = family_shift(fitted, fitted.scores(other).tolist())

    assert not at_home.shifted
    assert elsewhere.shifted
    assert elsewhere.flagged > 450


def test_the_chance_of_flags_is_what_exchangeability_says() -> None:
    """Scores of one distribution: how many new ones exceed a calibration quantile, simulated."""
    generator = torch.Generator().manual_seed(0)
    calibration, new, rank = 99, 20, 99
    draws = torch.rand(20_000, calibration + new, generator=generator)
    cuts = draws[:, :calibration].sort(-1).values[:, rank - 1 : rank]
    flagged = (draws[:, calibration:] > cuts).sum(-1)
    reference = ShiftReference(torch.zeros(1), torch.ones(1), 0.0, rank, calibration)

    for count in (1, 2):
        seen = float((flagged >= count).double().mean())
        assert reference.chance_of(count, new) == pytest.approx(seen, abs=0.01)


def test_a_family_may_have_as_many_flags_as_chance_gives(reference: ShiftReference) -> None:
    allowed = int(betabinom.ppf(0.98, 100, 2, 198))
    scores = [9.0] * allowed + [1.0] * (100 - allowed)

    assert not family_shift(reference, scores).shifted
    assert family_shift(reference, [9.0] * 30 + [1.0] * 70).shifted


def test_a_watch_scores_the_mean_of_what_was_kept_and_starts_anew(
    reference: ShiftReference,
) -> None:
    watch = ShiftWatch(reference)
    blocks = [torch.tensor([[1.0, 0.0], [3.0, 2.0]]), torch.empty(0, 2), torch.tensor([[5.0, 4.0]])]
    for _ in range(2):
        watch.start()
        for block in blocks:
            watch.add(block)
        assert watch.score() == pytest.approx(reference.scores(torch.tensor([3.0, 2.0])).item())

    watch.start()
    assert watch.score() is None


def test_it_lies_beside_a_judge_and_may_be_missing(
    reference: ShiftReference, tmp_path: Path
) -> None:
    assert ShiftReference.load(tmp_path) is None

    reference.save(tmp_path)
    again = ShiftReference.load(tmp_path)

    assert again is not None
    assert torch.equal(again.variance, reference.variance)
    assert (again.cut, again.rank, again.answers) == (4.0, 198, 199)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / SHIFT_FILE).write_bytes(b"no tensors")

    with pytest.raises(UserError, match="cannot be read"):
        ShiftReference.load(tmp_path)
