"""The shift score knows its own kind of answers, whoever wrote them, and flags others."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from scipy.stats import betabinom

from judge_lightning.embeddings import EmbeddingIndex
from judge_lightning.errors import UserError
from judge_lightning.shift import (
    SHIFT_FILE,
    ShiftReference,
    ShiftScore,
    ShiftWatch,
    family_shift,
    fit_shift,
)

LAYER = 1


@pytest.fixture
def reference() -> ShiftReference:
    mean, variance = torch.tensor([1.0, 0.0]), torch.tensor([4.0, 1.0])
    return ShiftReference(mean, variance, cut=4.0, rank=198, answers=199)


def prompts(*values: float) -> list[ShiftScore]:
    """Scores of answers whose drafts are usual."""
    return [ShiftScore(value, 0.0) for value in values]


def test_the_distance_is_the_mean_squared_deviation_in_variances(
    reference: ShiftReference,
) -> None:
    # (4 / 4 + 9 / 1) / 2
    assert reference.distances(torch.tensor([3.0, 3.0])).item() == pytest.approx(5.0)


def test_a_score_is_the_larger_of_prompts_and_drafts_in_their_own_units(
    reference: ShiftReference,
) -> None:
    scaled = replace(reference, distance_scale=2.0, usual=1.5, excess_scale=0.1)
    excess = scaled.excess(torch.tensor([0.5, 1.5, 2.0, 2.5]))

    assert excess.tolist() == [0.0, 0.0, 0.5, 1.0]
    assert scaled.score(3.0, 0.1) == ShiftScore(prompts=1.5, drafts=1.0)
    assert (scaled.score(3.0, 0.1).value, scaled.score(3.0, 0.1).larger) == (1.5, "prompts")
    assert (scaled.score(1.0, 0.3).value, scaled.score(1.0, 0.3).larger) == (
        pytest.approx(3.0),
        "drafts",
    )


def test_mean_and_variance_are_of_what_the_drafters_wrote_rightly(embeddings: Path) -> None:
    fitted = fit_shift(embeddings, LAYER)

    assert fitted is not None
    means = []
    for shard in EmbeddingIndex.load(embeddings).of("train"):
        tensors = load_file(embeddings / shard.file)
        for number in tensors["tuple"].unique():
            own = (tensors["tuple"] == number) & (tensors["answer"] == 1) & (tensors["labels"] == 1)
            if own.any():
                means.append(tensors[f"layer.{LAYER}"][own].float().mean(0))
    stacked = torch.stack(means)
    torch.testing.assert_close(fitted.mean, stacked.mean(0), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(fitted.variance, stacked.var(0), rtol=1e-3, atol=1e-4)


def test_one_training_token_in_a_hundred_is_more_surprising_than_usual(embeddings: Path) -> None:
    fitted = fit_shift(embeddings, LAYER)

    assert fitted is not None
    tokens = []
    for shard in EmbeddingIndex.load(embeddings).of("train"):
        tensors = load_file(embeddings / shard.file)
        rows = (tensors["answer"] == 1) & (tensors["labels"] == 1)
        tokens.append(tensors["surprisal"][rows])
    above = torch.cat(tokens) > fitted.usual
    assert int(above.sum()) == len(above) // 100


def test_embeddings_without_surprisals_score_prompts_alone(embeddings: Path) -> None:
    for path in embeddings.glob("*.safetensors"):
        tensors = load_file(path)
        del tensors["surprisal"]
        save_file(tensors, path)

    fitted = fit_shift(embeddings, LAYER)

    assert fitted is not None
    assert fitted.excess(torch.tensor([50.0])).item() == 0


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

    at_home, elsewhere = (
        family_shift(fitted, [fitted.score(float(d), 0.0) for d in fitted.distances(states)])
        for states in (same, other)
    )

    assert not at_home.shifted
    assert elsewhere.shifted
    assert elsewhere.flagged > 450
    assert elsewhere.by_drafts == 0


def test_drafts_that_the_target_finds_unlikely_are_flagged_for_that(embeddings: Path) -> None:
    fitted = fit_shift(embeddings, LAYER)
    assert fitted is not None
    usual = fitted.score(1.0, 0.0)
    # One token in twenty that the target gives one chance in a million.
    kept = torch.tensor([0.2] * 19 + [13.8])
    unlikely = fitted.score(1.0, float(fitted.excess(kept).mean()))

    found = family_shift(fitted, [usual] * 10 + [unlikely] * 10)

    assert found.shifted
    assert (found.flagged, found.by_drafts) == (10, 10)


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
    allowed = int(betabinom.ppf(0.9, 100, 2, 198))

    def family(flagged: int) -> list[ShiftScore]:
        return prompts(*[9.0] * flagged, *[1.0] * (100 - flagged))

    assert not family_shift(reference, family(allowed)).shifted
    assert family_shift(reference, family(30)).shifted


def test_a_watch_scores_what_was_kept_and_starts_anew(reference: ShiftReference) -> None:
    watch = ShiftWatch(replace(reference, usual=1.0, excess_scale=2.0))
    blocks = [torch.tensor([[1.0, 0.0], [3.0, 2.0]]), torch.empty(0, 2), torch.tensor([[5.0, 4.0]])]
    even = torch.zeros(2, 2)  # Each token has log 2 nats, which is below the usual.
    rare = torch.tensor([[7.0, 0.0]])  # Token 1 has a little more than 7.
    logits, tokens = [even, even[:0], rare], [torch.ones(2).long(), torch.empty(0).long()]
    tokens.append(torch.ones(1).long())
    for _ in range(2):
        watch.start()
        for given in zip(blocks, logits, tokens, strict=True):
            watch.add(*given)
        score = watch.score()
        assert score is not None
        assert score.prompts == pytest.approx(reference.distances(torch.tensor([3.0, 2.0])).item())
        assert score.drafts == pytest.approx((7.0009 - 1.0) / 3 / 2.0, rel=1e-4)

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
    assert (again.distance_scale, again.usual, again.excess_scale) == (1.0, math.inf, 1.0)


def test_a_file_from_before_drafts_were_scored_scores_prompts(
    reference: ShiftReference, tmp_path: Path
) -> None:
    reference.save(tmp_path)
    tensors = load_file(tmp_path / SHIFT_FILE)
    del tensors["scales"]
    save_file(tensors, tmp_path / SHIFT_FILE)

    again = ShiftReference.load(tmp_path)

    assert again is not None
    assert again.score(3.0, 0.0).value == 3.0


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / SHIFT_FILE).write_bytes(b"no tensors")

    with pytest.raises(UserError, match="cannot be read"):
        ShiftReference.load(tmp_path)
