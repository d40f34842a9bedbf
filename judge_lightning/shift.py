"""How unlike the judge's training data an answer is: a warning before quality is lost.

A judge, and whatever its threshold promises, is for prompts like those that it was calibrated
on. What it is shown is scored by the mean of its embeddings at the judge's layer, a distance in
standard deviations along every dimension from the mean of correct training answers. No answer
needs a label for that, and no forward pass is added: the judge reads these embeddings anyway.

An answer is flagged above a cut that 1 % of the calibration prompts exceed (split conformal,
Vovk et al. 2005). Some answers are flagged of any family. How many may be, as long as its
prompts are exchangeable with the calibration's, follows a beta-binomial distribution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from judge_lightning.embeddings import EmbeddingIndex, Shard
from judge_lightning.errors import UserError

SHIFT_FILE = "shift.safetensors"
FLAGGED = 0.01
"""Share of exchangeable answers that lie above the cut."""
SURPRISE = 0.01
"""A family is called shifted where so many flags had at most this chance."""


@dataclass(frozen=True)
class ShiftReference:
    """What answers of the judge's own kind look like at its layer.

    Attributes:
        mean: Of the correct training answers' mean embeddings, (H,) float32.
        variance: Of them, (H,) float32, positive.
        cut: The score above which an answer is flagged: the ``rank``-th smallest of the scores of
            ``answers`` calibration answers, one for each prompt.
    """

    mean: Tensor
    variance: Tensor
    cut: float
    rank: int
    answers: int

    def scores(self, means: Tensor) -> Tensor:
        """Mean squared deviation, in variances, of mean embeddings (..., H); about 1 at home."""
        return ((means.float() - self.mean).square() / self.variance).mean(-1)

    def chance_of(self, flagged: int, answers: int) -> float:
        """That so many or more of ``answers`` exchangeable ones are flagged."""
        from scipy.stats import betabinom

        return float(betabinom.sf(flagged - 1, answers, self.answers + 1 - self.rank, self.rank))

    def save(self, folder: Path) -> None:
        """Writes ``shift.safetensors`` beside a judge."""
        tensors = {
            "mean": self.mean.float(),
            "variance": self.variance.float(),
            "cut": torch.tensor(self.cut, dtype=torch.float64),
            "rank": torch.tensor(self.rank),
            "answers": torch.tensor(self.answers),
        }
        save_file(tensors, folder / SHIFT_FILE)

    @classmethod
    def load(cls, folder: str | Path) -> ShiftReference | None:
        """Reads it from a judge's folder; None where the judge has none.

        Raises:
            UserError: The file is damaged.
        """
        path = Path(folder) / SHIFT_FILE
        if not path.is_file():
            return None
        try:
            tensors = load_file(path)
            return cls(
                tensors["mean"],
                tensors["variance"],
                float(tensors["cut"]),
                int(tensors["rank"]),
                int(tensors["answers"]),
            )
        except (OSError, SafetensorError, KeyError) as error:
            raise UserError(
                str(path), f"cannot be read ({error})", "copy the judge's folder again"
            ) from error


class ShiftWatch:
    """Scores one answer after the other while it is decoded; keeps a sum, not the embeddings."""

    def __init__(self, reference: ShiftReference) -> None:
        self._reference = reference
        self._sum: Tensor | None = None
        self._count = 0

    def start(self) -> None:
        """Begins an answer."""
        self._sum, self._count = None, 0

    def add(self, embeddings: Tensor) -> None:
        """Takes the embeddings (m, H) of the tokens that a cycle has kept; m may be 0."""
        if len(embeddings):
            total = embeddings.sum(0, dtype=torch.float32)
            self._sum = total if self._sum is None else self._sum.add_(total)
            self._count += len(embeddings)

    def score(self) -> float | None:
        """The answer's score; None where no token was kept. Waits for the device, once."""
        if self._sum is None:
            return None
        return float(self._reference.scores((self._sum / self._count).cpu()))


@dataclass(frozen=True)
class FamilyShift:
    """Whether a family's answers are like the calibration's. ``chance``: of so many flags."""

    answers: int
    flagged: int
    chance: float

    @property
    def shifted(self) -> bool:
        """More of them are flagged than exchangeable prompts would have."""
        return self.chance <= SURPRISE


def family_shift(reference: ShiftReference, scores: Sequence[float]) -> FamilyShift:
    """Counts the scores above the cut and says how likely so many are."""
    flagged = sum(score > reference.cut for score in scores)
    return FamilyShift(len(scores), flagged, reference.chance_of(flagged, len(scores)))


@torch.inference_mode()
def fit_shift(folder: Path, layer: int) -> ShiftReference | None:
    """Describes the correct answers of an embeddings folder at one layer, a shard at a time.

    Mean and variance are those of the train split, the cut that of the calibration split, of
    which each prompt's first correct answer counts.

    Returns:
        None where there are not two training answers and one calibration answer.
    """
    index = EmbeddingIndex.load(folder)
    count, mean, squares = 0, torch.zeros(()).double(), torch.zeros(()).double()
    for shard in index.of("train"):
        means = _answer_means(folder, shard, layer)[0]
        if not len(means):
            continue
        # Chan et al. 1979: moments of two sets from those of each.
        step = means.mean(0) - mean
        squares = squares + (means - means.mean(0)).square().sum(0)
        squares = squares + step.square() * count * len(means) / (count + len(means))
        mean = mean + step * len(means) / (count + len(means))
        count += len(means)
    first: dict[int, Tensor] = {}
    for shard in index.of("calibration"):
        for answer, prompt in zip(*_answer_means(folder, shard, layer), strict=True):
            first.setdefault(prompt, answer)
    if count < 2 or not first:
        return None
    variance = squares / (count - 1)
    # A dimension that never moved would make every other answer infinitely far away.
    variance = variance.clamp_min(max(1e-6 * float(variance.mean()), 1e-12))
    rank = min(math.ceil((len(first) + 1) * (1 - FLAGGED) - 1e-9), len(first))
    reference = ShiftReference(mean.float(), variance.float(), math.inf, rank, len(first))
    scores = reference.scores(torch.stack(list(first.values()))).sort().values
    return ShiftReference(
        reference.mean, reference.variance, float(scores[rank - 1]), rank, len(first)
    )


def _answer_means(folder: Path, shard: Shard, layer: int) -> tuple[Tensor, list[int]]:
    """The mean embedding (answers, H) float64 of each correct answer, and its prompt's number."""
    with safe_open(folder / shard.file, "pt") as file:
        rows = (file.get_tensor("answer") == 0) & (file.get_tensor("labels") == 1)
        states = file.get_tensor(f"layer.{layer}")[rows].double()
        numbers, prompts = file.get_tensor("tuple")[rows], file.get_tensor("prompt")[rows]
    tuples, places, lengths = numbers.unique(return_inverse=True, return_counts=True)
    means = torch.zeros(len(tuples), states.shape[1], dtype=torch.float64)
    means.index_add_(0, places, states)
    owners = torch.empty(len(tuples), dtype=torch.int64)
    owners[places] = prompts
    return means / lengths.unsqueeze(1), owners.tolist()
