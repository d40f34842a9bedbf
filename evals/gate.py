"""Whether a decoder may be used: what it is shown to lose at most, against a tolerance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evals.paired import PairedComparison

ByTask = Mapping[str, Mapping[str, PairedComparison]]
"""Per task and decoder, the comparison with the target alone."""
LOSSLESS = "exact"


@dataclass(frozen=True)
class Refusal:
    """A task on which a decoder may lose more than ``tolerance``, a share of the score.

    ``tolerance`` is None for a lossless decoder whose scores are not the target's own.
    """

    task: str
    decoder: str
    tolerance: float | None
    comparison: PairedComparison

    def in_words(self) -> str:
        """One sentence that names task, difference and interval."""
        found = self.comparison
        if self.tolerance is None:
            turned = found.turned_wrong + found.turned_right
            return (
                f"{self.task}: {self.decoder} must score as the target does, and differs on"
                f" {turned} of {found.n} documents"
            )
        return (
            f"{self.task}: {self.decoder} differs from the target alone by"
            f" {100 * found.value:+.1f} points ({found.confidence:.0%} interval"
            f" {100 * found.low:+.1f} to {100 * found.high:+.1f}, {found.n} documents), so that it"
            f" may lose more than {100 * self.tolerance:g}"
        )


def refusals(
    paired: ByTask, tolerance: float, decoders: Sequence[str], *, greedy: bool
) -> list[Refusal]:
    """What speaks against the decoders: a lower bound of a difference below ``-tolerance``.

    Of greedy answers, ``exact`` may not differ from the target at all.
    """
    found = []
    for task, by_decoder in paired.items():
        for decoder, comparison in by_decoder.items():
            turned = comparison.turned_wrong + comparison.turned_right
            if decoder == LOSSLESS and greedy and turned:
                found.append(Refusal(task, decoder, None, comparison))
            elif decoder in decoders and comparison.low < -tolerance:
                found.append(Refusal(task, decoder, tolerance, comparison))
    return found
