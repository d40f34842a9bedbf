"""From sources to the court's prompts: filtered, each in its split, one at a time.

Sources that are held out for evaluation are read first, so that nothing of them can be drawn for
the court. A prompt's split follows from its own text, and of prompts that are alike the first
stays: data added behind what was there before changes nothing about it, and data added anywhere
never moves a prompt to another split.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from judge_lightning.court.filters import Candidate, FilterChain, Filters
from judge_lightning.court.records import SPLITS, Prompt
from judge_lightning.court.rejects import Rejected, refuse_too_many
from judge_lightning.court.sources import Source, SourcedPrompt
from judge_lightning.court.splits import identity, split_of, validate_shares
from judge_lightning.errors import UserError

_PATIENCE = 20
"""An endless source is given up after this many draws per prompt that was asked for."""


@dataclass(frozen=True)
class Filtered(Rejected):
    """A sound prompt that a filter left out."""


@dataclass
class SourceCounts:
    """What became of one source's rows."""

    read: int = 0
    taken: int = 0
    filtered: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)


class Collection:
    """The prompts of several sources; iterating reads them, and counts.

    Memory holds a hash of every prompt, and its signature where near duplicates are looked for.

    Args:
        shares: Share of the prompts per split, in order; they add up to 1.
        seed: Changes which prompts go into which split.
        max_rejected: The share of a source's rows that may be unusable.

    Raises:
        UserError: The sources, shares or filters are wrong.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        shares: Mapping[str, float],
        seed: int,
        filters: Filters | None = None,
        max_rejected: float = 0.05,
    ) -> None:
        validate_shares(shares)
        self.filters = filters or Filters()
        self.filters.validate({source.name: source.split for source in sources})
        for source in sources:
            source.validate()
        self._sources = sorted(sources, key=_forced_first)
        self._shares = shares
        self._seed = seed
        self._max_rejected = max_rejected
        self._start()

    def __iter__(self) -> Iterator[Prompt | Filtered | Rejected]:
        """Yields every prompt that is taken, and what was left out with the reason.

        Raises:
            UserError: A place cannot be read to its end, too many rows of a source cannot be
                used, or the micro world runs dry before ``count`` prompts.
        """
        self._start()
        chain = FilterChain(self.filters)
        for source in self._sources:
            yield from self._collect(source, chain)

    def count(self, split: str) -> int:
        """How many prompts the split has, of those that were read so far."""
        return sum(count for (_, each), count in self._prompts.items() if each == split)

    def statistics(self) -> dict[str, Any]:
        """Counts per split, family and source, what each filter left out, and the origins."""
        families: dict[str, dict[str, int]] = defaultdict(dict)
        for (family, split), count in sorted(self._prompts.items()):
            families[family][split] = count
        return {
            "prompts": self._prompts.total(),
            "splits": {split: self.count(split) for split in SPLITS},
            "families": dict(families),
            "filtered": dict(self._total("filtered")),
            "rejected": dict(self._total("rejected")),
            "sources": {
                source.name: {
                    "read": counts.read,
                    "taken": counts.taken,
                    "filtered": dict(counts.filtered),
                    "rejected": dict(counts.rejected),
                    "about": source.about(),
                }
                for source in self._sources
                for counts in [self.sources[source.name]]
            },
        }

    def _start(self) -> None:
        self.sources = {source.name: SourceCounts() for source in self._sources}
        self._prompts: Counter[tuple[str, str]] = Counter()

    def _total(self, kind: str) -> Counter[str]:
        return sum((getattr(counts, kind) for counts in self.sources.values()), Counter())

    def _collect(
        self, source: Source, chain: FilterChain
    ) -> Iterator[Prompt | Filtered | Rejected]:
        counts = self.sources[source.name]
        for found in source.read():
            counts.read += 1
            outcome = found if isinstance(found, Rejected) else self._judge(found, source, chain)
            if isinstance(outcome, Prompt):
                counts.taken += 1
                self._prompts[outcome.family, outcome.split] += 1
            elif isinstance(outcome, Filtered):
                counts.filtered[outcome.reason] += 1
            else:
                counts.rejected[outcome.reason] += 1
            yield outcome
            if source.count and counts.taken == source.count:
                break
            if source.endless and counts.read > _PATIENCE * source.count:
                raise UserError(
                    f"data.sources.{source.name}.count",
                    f"the micro world has no {source.count} different {source.family} problems",
                    f"ask for {counts.taken} at most",
                )
        refuse_too_many(
            f"data.sources.{source.name}",
            dict(counts.rejected.most_common()),
            counts.read,
            self._max_rejected,
        )

    def _judge(
        self, reading: SourcedPrompt, source: Source, chain: FilterChain
    ) -> Prompt | Filtered:
        prompt = reading.prompt
        same = identity(prompt.text)
        if source.name in self.filters.decontaminate:
            chain.hold_out(reading.content)
        digest = hashlib.sha256(same.encode()).digest()[:16]
        held_out = source.split == "eval"
        reason = chain.reason_against(
            Candidate(prompt.id, prompt.text, reading.content, digest, held_out)
        )
        if reason is not None:
            return Filtered(reading.place, *reason, record=prompt.text)
        return replace(prompt, split=source.split or split_of(same, self._shares, self._seed))


def _forced_first(source: Source) -> int:
    return 0 if source.split == "eval" else 1 if source.split else 2
