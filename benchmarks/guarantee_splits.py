"""How often a threshold's promise is broken over random splits of a run's own mistakes.

The calibration prompts of a run, of which no head was trained, are split at random again and
again. A threshold is chosen on one part, as ``calibrate.alpha`` does it, and held against all of
them: they are the population that each part is drawn from, so their risk is known and the promise
is kept or broken without error. The other part alone sees the risk with an error of its own, and
lies above alpha more often than epsilon even where the promise is kept; that share stands beside.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from scipy.stats import binom
from torch import Tensor

from benchmarks.measuring import note, parser_for, print_table, run_script, save, start
from judge_lightning.calibration import HeldOut, held_out, one_mistake_a_prompt
from judge_lightning.errors import UserError
from judge_lightning.guarantee import PLAIN, mistakes_threshold, too_few, trials_needed
from judge_lightning.heads import JudgeHead
from pipelines.manifest import Manifest, ManifestError

CORRECT_KEPT = 100
"""Of the correct tokens every that-many-th is written by ``--keep``; mistakes all are."""


@dataclass(frozen=True)
class Splits:
    """What the thresholds of all splits do to the population.

    Attributes:
        calibrated_on: Prompts of the part that a threshold is chosen on.
        violated: Splits whose threshold keeps more than alpha of the population's mistakes.
        others_above: Splits whose other part sees a risk above alpha.
        naive_violated: ``violated`` where the threshold just fits its part.
        threshold: The median one.
        risk: The population's, on average over the splits.
        correct_kept: The share of correct tokens above the median threshold.
        plain_risk: The population's at a threshold of 0.5.
        plain_correct_kept: The share of correct tokens above 0.5.
    """

    alpha: float
    epsilon: float
    prompts: int
    calibrated_on: int
    splits: int
    violated: int
    others_above: int
    naive_violated: int
    threshold: float
    risk: float
    correct_kept: float
    plain_risk: float
    plain_correct_kept: float

    @property
    def allowed(self) -> int:
        """Violations that 999 in 1000 runs with a chance of exactly epsilon stay within."""
        return int(binom.ppf(0.999, self.splits, self.epsilon))


def split_often(
    tokens: HeldOut,
    *,
    alpha: float,
    epsilon: float,
    calibrated_on: int,
    splits: int = 200,
    seed: int = 0,
) -> Splits:
    """Chooses a threshold on ``calibrated_on`` random prompts, ``splits`` times.

    Raises:
        UserError: There are too few prompts.
    """
    mistakes = torch.tensor(one_mistake_a_prompt(tokens, seed), dtype=torch.float64)
    if calibrated_on >= len(mistakes):
        problem = f"{calibrated_on} of {len(mistakes)} prompts with a mistake leave none"
        raise UserError("calibrated_on", problem, "take fewer, or a run with more prompts")
    if calibrated_on < trials_needed(alpha, epsilon):
        raise too_few(calibrated_on, alpha, epsilon)
    generator = torch.Generator().manual_seed(seed)
    chosen: list[float] = []
    naive: list[float] = []
    others: list[float] = []
    for _ in range(splits):
        order = torch.randperm(len(mistakes), generator=generator)
        part, rest = mistakes[order[:calibrated_on]], mistakes[order[calibrated_on:]]
        chosen.append(mistakes_threshold(part.tolist(), alpha, epsilon).threshold)
        naive.append(float(part.sort(descending=True).values[int(alpha * calibrated_on)]))
        others.append(_above(rest, chosen[-1]))
    risks = [_above(mistakes, threshold) for threshold in chosen]
    median = float(torch.tensor(chosen, dtype=torch.float64).median())
    return Splits(
        alpha=alpha,
        epsilon=epsilon,
        prompts=len(mistakes),
        calibrated_on=calibrated_on,
        splits=splits,
        violated=sum(risk > alpha for risk in risks),
        others_above=sum(risk > alpha for risk in others),
        naive_violated=sum(_above(mistakes, threshold) > alpha for threshold in naive),
        threshold=median,
        risk=sum(risks) / splits,
        correct_kept=_above(tokens.correct, median),
        plain_risk=_above(mistakes, PLAIN),
        plain_correct_kept=_above(tokens.correct, PLAIN),
    )


def _above(probabilities: Tensor, threshold: float) -> float:
    return float((probabilities > threshold).double().mean())


def main(arguments: Sequence[str] | None = None) -> None:
    """Splits, prints the table and writes the result."""
    given = start(_parser(), arguments)
    if given.calibrated.is_file():
        tokens = read_kept(given.calibrated)
    else:
        tokens = _held_out(given.calibrated, given.layer)
    if given.keep is not None:
        _keep(tokens, given.keep)
    prompts = len(tokens.prompt[tokens.labels == 0].unique())
    found = [
        split_often(
            tokens,
            alpha=alpha,
            epsilon=given.epsilon,
            calibrated_on=size or prompts // 2,
            splits=20 if given.quick else given.splits,
        )
        for alpha in given.alpha
        for size in given.calibrate_on
        if (size or prompts // 2) >= trials_needed(alpha, given.epsilon)
    ]
    print_table(
        f"{prompts} prompts with a mistake, epsilon {given.epsilon:g}, {given.splits} splits",
        [
            *("alpha", "calibrated on", "broken (allowed)", "by a plain fit", "other part above"),
            *("threshold", "risk", "correct kept", "risk at 0.5", "kept at 0.5"),
        ],
        [_row(one) for one in found],
    )
    note("broken: splits whose threshold keeps more than alpha of all prompts' mistakes")
    save("guarantee_splits", {"results": [asdict(one) for one in found]}, given.out)


def _parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument(
        "calibrated", type=Path, help="a run's artifacts/calibrate/KEY, or a file written by --keep"
    )
    parser.add_argument("--alpha", type=float, nargs="+", default=[0.05, 0.02, 0.01])
    parser.add_argument("--epsilon", type=float, default=0.05)
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument(
        "--calibrate-on", type=int, nargs="+", default=[300, 0], help="prompts; 0: half of them"
    )
    parser.add_argument("--layer", type=int, help="another layer's head than the run's judge")
    parser.add_argument("--keep", type=Path, help="a file for the held-out tokens' probabilities")
    return parser


def read_kept(file: Path) -> HeldOut:
    """What ``--keep`` wrote: all mistakes, and a sample of the correct tokens."""
    tensors = load_file(file)
    return HeldOut(
        tensors["probability"].double(),
        tensors["labels"],
        tensors["prompt"],
        tensors["tuple_number"],
        tensors["position"].int(),
    )


def _held_out(calibrated: Path, layer: int | None) -> HeldOut:
    """What the judge, or another layer's head of the same training, says to held-out tokens."""
    try:
        inputs = Manifest.read(calibrated).inputs
    except (OSError, ManifestError) as error:
        raise UserError(
            str(calibrated), f"is no artifact ({error})", "name artifacts/calibrate/KEY"
        ) from error
    store = calibrated.resolve().parent.parent
    folder = calibrated / "judge"
    if layer is not None:
        folder = store / "train" / inputs["train"] / "heads" / f"layer-{layer:02d}"
    head = JudgeHead.from_pretrained(folder)
    return held_out(head, store / "embed" / inputs["embed"])


def _keep(tokens: HeldOut, file: Path) -> None:
    """Writes all mistakes and some correct tokens, enough to repeat the splits without a model."""
    rows = (tokens.labels == 0).nonzero()[:, 0]
    correct = (tokens.labels == 1).nonzero()[::CORRECT_KEPT, 0]
    rows = torch.cat((rows, correct))
    tensors = {
        "probability": tokens.probability[rows].float(),
        "labels": tokens.labels[rows],
        "prompt": tokens.prompt[rows],
        "tuple_number": tokens.tuple_number[rows],
        "position": tokens.position[rows].to(torch.int16),
    }
    save_file(tensors, file)


def _row(one: Splits) -> list[str]:
    return [
        f"{100 * one.alpha:g} %",
        str(one.calibrated_on),
        f"{one.violated} ({one.allowed})",
        str(one.naive_violated),
        str(one.others_above),
        f"{one.threshold:.3f}",
        f"{100 * one.risk:.2f} %",
        f"{100 * one.correct_kept:.1f} %",
        f"{100 * one.plain_risk:.2f} %",
        f"{100 * one.plain_correct_kept:.1f} %",
    ]


if __name__ == "__main__":
    run_script(main)
