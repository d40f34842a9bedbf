"""What happened while decoding: every cycle's proposals, verdicts and seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import Tensor

    from judge_lightning.shift import ShiftScore

Fate = Literal["both", "standard", "judge", "target"]
"""Who kept a token: both verdicts, the standard one or the judge alone, or nobody: then the
target wrote it itself, as a correction or as the bonus after a block that was kept whole."""


@dataclass(frozen=True, slots=True)
class CycleParts:
    """Seconds of a cycle's three parts.

    ``draft`` proposes the block, ``verify`` is the target's pass over it, ``judge`` comes to the
    verdict: the standard rule's and the head's in one, because they wait for the device once. What
    the head costs is the difference to a decoder with the standard rule alone.
    """

    draft: float
    verify: float
    judge: float


@dataclass(slots=True)
class Cycle:
    """One cycle: tokens proposed, one target forward, one verdict per token.

    ``standard`` and ``judge`` (probabilities; None without a judge) hold one entry per proposed
    token, those after the first rejection included. ``next_token`` is the target's own, None
    when an accepted EOS ended the answer. ``seconds`` are wall-clock, the prompt's forwards
    included in the first cycle; ``parts`` of them are known for speculative decoding on the CPU
    and on CUDA (``cycle_clock``).
    """

    proposed: list[int]
    accepted: int
    standard: list[bool]
    judge: list[float] | None
    next_token: int | None
    seconds: float = 0.0
    parts: CycleParts | None = None

    @property
    def overhead(self) -> float | None:
        """Seconds that are in no part: rolling caches back, streaming, Python; None without."""
        if self.parts is None:
            return None
        # A GPU has its own clock, which may be off by a microsecond.
        return max(0.0, self.seconds - self.parts.draft - self.parts.verify - self.parts.judge)

    @property
    def tokens(self) -> list[int]:
        """The tokens that this cycle added to the answer."""
        kept = self.proposed[: self.accepted]
        return kept if self.next_token is None else [*kept, self.next_token]

    @property
    def corrected(self) -> bool:
        """Whether the target's token replaced a proposed one (else it is a bonus)."""
        return self.accepted < len(self.proposed)


@dataclass(slots=True)
class Trace:
    """All cycles of one answer. ``threshold`` is the judge's, None without a judge.

    ``shift`` is how unlike the judge's training data the kept draft tokens were
    (``judge_lightning.shift``), None where nobody watched. It is no part of the JSON.
    """

    cycles: list[Cycle] = field(default_factory=list)
    threshold: float | None = None
    shift: ShiftScore | None = None

    @property
    def tokens(self) -> list[int]:
        """The answer's tokens, EOS included."""
        return [token for cycle in self.cycles for token in cycle.tokens]

    @property
    def fates(self) -> list[Fate]:
        """Who kept each of ``tokens``."""
        return [fate for cycle in self.cycles for fate in self._fates_in(cycle)]

    @property
    def accepted_per_cycle(self) -> float:
        """Mean number of draft tokens kept in a cycle, 0 to the draft length."""
        return sum(cycle.accepted for cycle in self.cycles) / max(1, len(self.cycles))

    @property
    def tokens_per_cycle(self) -> float:
        """Mean number of tokens that a cycle added: those accepted and the target's own."""
        return len(self.tokens) / max(1, len(self.cycles))

    @property
    def seconds(self) -> float:
        """Wall-clock seconds of all cycles."""
        return sum(cycle.seconds for cycle in self.cycles)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, the same for the same decoding: without seconds."""
        return {
            "threshold": self.threshold,
            "cycles": [
                {
                    "proposed": cycle.proposed,
                    "accepted": cycle.accepted,
                    "standard": [int(kept) for kept in cycle.standard],
                    "judge": None if cycle.judge is None else [round(p, 6) for p in cycle.judge],
                    "next_token": cycle.next_token,
                }
                for cycle in self.cycles
            ],
        }

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Trace:
        """Reads what ``to_json`` gave; every cycle's seconds are 0, without parts."""
        cycles = [
            Cycle(**{**cycle, "standard": [bool(kept) for kept in cycle["standard"]]})
            for cycle in row["cycles"]
        ]
        return cls(cycles, row["threshold"])

    def _fates_in(self, cycle: Cycle) -> Iterator[Fate]:
        for index in range(cycle.accepted):
            if not cycle.standard[index]:
                yield "judge"
            elif cycle.judge is None or self.threshold is None:
                yield "standard"
            else:
                yield "both" if cycle.judge[index] > self.threshold else "standard"
        if cycle.next_token is not None:
            yield "target"


@dataclass(frozen=True)
class DecodeOutput:
    """``sequences``: (1, T + new) long, prompt included, on the prompt's device."""

    sequences: Tensor
    trace: Trace
