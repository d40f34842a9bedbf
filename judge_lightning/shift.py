"""How unlike the judge's training data an answer is: a warning before quality is lost.

A judge, and whatever its threshold promises, is for prompts and drafts like those that it was
calibrated on. An answer's draft tokens are scored twice, and the larger score counts:

- *prompts*: the mean of the tokens' embeddings at the judge's layer, as a distance in standard
  deviations along every dimension from the mean of what the court's drafters wrote rightly;
- *drafts*: by how much the tokens' surprisal (-log p under the target) exceeds what one in a
  hundred of those right tokens has, on average over the answer. A judge that has not met a
  draft's mistakes keeps tokens that the target finds as good as impossible.

No answer needs a label for that, and no forward pass is added: the judge reads these embeddings
anyway, and the standard rule these logits.

An answer is flagged above a cut that 1 % of the calibration prompts exceed (split conformal,
Vovk et al. 2005). Some answers are flagged of any family. How many may be, as long as its
prompts are exchangeable with the calibration's, follows a beta-binomial distribution.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from judge_lightning.embeddings import EmbeddingIndex, Shard
from judge_lightning.errors import UserError
from judge_lightning.surprisal import surprisals

SHIFT_FILE = "shift.safetensors"
FLAGGED = 0.01
"""Share of exchangeable answers that lie above the cut."""
SURPRISE = 0.05
"""A family is called shifted where so many flags had at most this chance: one needless warning in
twenty families costs a look, a missed one the answers (docs/ablations.md has both levels)."""
SCALED_BY = 512
"""Training answers at most that the distance's scale is taken from: their means lie in memory."""


@dataclass(frozen=True)
class ShiftScore:
    """An answer's two scores, each in units of what 1 % of the training answers exceed."""

    prompts: float
    drafts: float

    @property
    def value(self) -> float:
        """The larger one."""
        return max(self.prompts, self.drafts)

    @property
    def larger(self) -> str:
        """Which one that is."""
        return "drafts" if self.drafts > self.prompts else "prompts"


@dataclass(frozen=True)
class ShiftReference:
    """What answers of the judge's own kind look like at its layer, and to the target.

    Attributes:
        mean: Of the training answers' mean embeddings, (H,) float32.
        variance: Of them, (H,) float32, positive.
        cut: The score above which an answer is flagged: the ``rank``-th smallest of the scores of
            ``answers`` calibration answers, one for each prompt.
        distance_scale: The distance that 1 % of the training answers exceed.
        usual: The surprisal, in nats, that 1 % of the training answers' tokens exceed; infinite
            where it was not recorded, and then drafts are not scored.
        excess_scale: The mean excess over ``usual`` that 1 % of the training answers exceed.
    """

    mean: Tensor
    variance: Tensor
    cut: float
    rank: int
    answers: int
    distance_scale: float = 1.0
    usual: float = math.inf
    excess_scale: float = 1.0

    def distances(self, means: Tensor) -> Tensor:
        """Mean squared deviation, in variances, of mean embeddings (..., H); about 1 at home."""
        return ((means.float() - self.mean).square() / self.variance).mean(-1)

    def excess(self, surprisals: Tensor) -> Tensor:
        """What each token's surprisal (k,), in nats, has above the usual; mostly 0."""
        return (surprisals - self.usual).clamp_min(0)

    def score(self, distance: float, excess: float) -> ShiftScore:
        """From an answer's distance and its tokens' mean excess."""
        return ShiftScore(distance / self.distance_scale, excess / self.excess_scale)

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
            "scales": torch.tensor(
                [self.distance_scale, self.usual, self.excess_scale], dtype=torch.float64
            ),
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
            # A file from before drafts were scored has none.
            scales = tensors["scales"].tolist() if "scales" in tensors else []
            return cls(
                tensors["mean"],
                tensors["variance"],
                float(tensors["cut"]),
                int(tensors["rank"]),
                int(tensors["answers"]),
                *scales,
            )
        except (OSError, SafetensorError, KeyError) as error:
            raise UserError(
                str(path), f"cannot be read ({error})", "copy the judge's folder again"
            ) from error


class ShiftWatch:
    """Scores one answer after the other while it is decoded; keeps sums, not the embeddings."""

    def __init__(self, reference: ShiftReference) -> None:
        self._reference = reference
        self._sum: Tensor | None = None
        self._excess: Tensor | None = None
        self._count = 0

    def start(self) -> None:
        """Begins an answer."""
        self._sum, self._excess, self._count = None, None, 0

    def add(self, embeddings: Tensor, logits: Tensor, tokens: Tensor) -> None:
        """Takes what a cycle has kept; m may be 0.

        Args:
            embeddings: At the tokens, (m, H).
            logits: The target's at the positions before them, (m, V).
            tokens: (m,) long.
        """
        if not len(tokens):
            return
        total = embeddings.sum(0, dtype=torch.float32)
        self._sum = total if self._sum is None else self._sum.add_(total)
        self._count += len(tokens)
        if math.isfinite(self._reference.usual):
            excess = self._reference.excess(surprisals(logits, tokens)).sum()
            self._excess = excess if self._excess is None else self._excess.add_(excess)

    def score(self) -> ShiftScore | None:
        """The answer's score; None where no token was kept. Waits for the device, once."""
        if self._sum is None:
            return None
        excess = 0.0 if self._excess is None else float(self._excess) / self._count
        distance = self._reference.distances((self._sum / self._count).cpu())
        return self._reference.score(float(distance), excess)


@dataclass(frozen=True)
class FamilyShift:
    """Whether a family's answers are like the calibration's. ``chance``: of so many flags.

    ``by_drafts`` of the flagged ones are so for their draft tokens' surprisal.
    """

    answers: int
    flagged: int
    chance: float
    by_drafts: int = 0

    @property
    def shifted(self) -> bool:
        """More of them are flagged than exchangeable prompts would have."""
        return self.chance <= SURPRISE


def family_shift(reference: ShiftReference, scores: Sequence[ShiftScore]) -> FamilyShift:
    """Counts the scores above the cut and says how likely so many are."""
    flagged = [score for score in scores if score.value > reference.cut]
    chance = reference.chance_of(len(flagged), len(scores))
    by_drafts = sum(score.larger == "drafts" for score in flagged)
    return FamilyShift(len(scores), len(flagged), chance, by_drafts)


@torch.inference_mode()
def fit_shift(folder: Path, layer: int) -> ShiftReference | None:
    """Describes what the drafters of an embeddings folder wrote rightly, a shard at a time.

    That is every wrong answer up to its first mistake: decoding offers the judge such tokens,
    whereas the right answer beside it may be the target's own. Mean, variance and scales are
    those of the train split, the cut that of the calibration split, of which one answer of each
    prompt counts, drawn by a hash.

    Returns:
        None where there are not two training answers and one calibration answer.
    """
    index = EmbeddingIndex.load(folder)
    count, mean, squares = 0, torch.zeros(()).double(), torch.zeros(()).double()
    sample: list[Tensor] = []
    surprisal: list[Tensor] = []
    for shard in index.of("train"):
        answers = _drafted(folder, shard, layer)
        means = answers.means
        if not len(means):
            continue
        # Chan et al. 1979: moments of two sets from those of each.
        step = means.mean(0) - mean
        squares = squares + (means - means.mean(0)).square().sum(0)
        squares = squares + step.square() * count * len(means) / (count + len(means))
        mean = mean + step * len(means) / (count + len(means))
        count += len(means)
        sample += means[: SCALED_BY - len(sample)].float()
        surprisal += answers.surprisals
    held_out = _one_of_each_prompt(folder, index.of("calibration"), layer)
    if count < 2 or not held_out:
        return None
    variance = squares / (count - 1)
    # A dimension that never moved would make every other answer infinitely far away.
    variance = variance.clamp_min(max(1e-6 * float(variance.mean()), 1e-12))
    rank = min(math.ceil((len(held_out) + 1) * (1 - FLAGGED) - 1e-9), len(held_out))
    plain = ShiftReference(mean.float(), variance.float(), math.inf, rank, len(held_out))
    usual, excess_scale = _drafts_scale(plain, surprisal)
    reference = replace(
        plain,
        distance_scale=_exceeded(plain.distances(torch.stack(sample))),
        usual=usual,
        excess_scale=excess_scale,
    )
    scores = [
        reference.score(
            float(reference.distances(state)),
            0.0 if tokens is None else float(reference.excess(tokens).mean()),
        ).value
        for state, tokens in held_out
    ]
    return replace(reference, cut=sorted(scores)[rank - 1])


def _exceeded(values: Tensor) -> float:
    """What 1 % of the values (k,) exceed; sorted, because ``quantile`` takes 16 million at most."""
    ordered = values.sort().values
    return max(float(ordered[math.ceil(len(ordered) * (1 - FLAGGED)) - 1]), 1e-6)


def _drafts_scale(plain: ShiftReference, surprisal: list[Tensor]) -> tuple[float, float]:
    """``usual`` and ``excess_scale`` from each training answer's surprisals."""
    if not surprisal:
        return plain.usual, plain.excess_scale
    scored = replace(plain, usual=_exceeded(torch.cat(surprisal)))
    excess = torch.stack([scored.excess(tokens).mean() for tokens in surprisal])
    return scored.usual, _exceeded(excess)


@dataclass(frozen=True)
class _Drafted:
    """A shard's wrong answers up to their first mistake.

    ``means`` (answers, H) float64 of the embeddings, the ``prompts``' and ``tuples``' numbers, and
    ``surprisals`` (tokens,) of each; none where the shard has none.
    """

    means: Tensor
    prompts: list[int]
    tuples: list[int]
    surprisals: list[Tensor]


def _drafted(folder: Path, shard: Shard, layer: int) -> _Drafted:
    with safe_open(folder / shard.file, "pt") as file:
        rows = (file.get_tensor("answer") == 1) & (file.get_tensor("labels") == 1)
        states = file.get_tensor(f"layer.{layer}")[rows].double()
        numbers, prompts = file.get_tensor("tuple")[rows], file.get_tensor("prompt")[rows]
        recorded = "surprisal" in file.keys()  # noqa: SIM118 (it is no dictionary)
        surprisal = file.get_tensor("surprisal")[rows] if recorded else None
    tuples, places, lengths = numbers.unique(return_inverse=True, return_counts=True)
    means = torch.zeros(len(tuples), states.shape[1], dtype=torch.float64)
    means.index_add_(0, places, states)
    owners = torch.empty(len(tuples), dtype=torch.int64)
    owners[places] = prompts
    split: list[Tensor] = []
    if surprisal is not None:
        split = list(surprisal[places.argsort(stable=True)].split(lengths.tolist()))
    return _Drafted(means / lengths.unsqueeze(1), owners.tolist(), tuples.tolist(), split)


def _one_of_each_prompt(
    folder: Path, shards: Sequence[Shard], layer: int
) -> list[tuple[Tensor, Tensor | None]]:
    """Mean embedding and surprisals of one answer of each prompt."""
    drawn: dict[int, tuple[bytes, Tensor, Tensor | None]] = {}
    for shard in shards:
        answers = _drafted(folder, shard, layer)
        for place, (prompt, number) in enumerate(zip(answers.prompts, answers.tuples, strict=True)):
            lot = hashlib.sha256(f"answer:{prompt}:{number}".encode()).digest()
            if prompt not in drawn or lot < drawn[prompt][0]:
                tokens = answers.surprisals[place] if answers.surprisals else None
                drawn[prompt] = (lot, answers.means[place], tokens)
    return [(state, tokens) for _, state, tokens in drawn.values()]
