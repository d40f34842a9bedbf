"""What a data set holds, counted as its tuples stream by."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from judge_lightning.court.labels import CORRECT, MISTAKE
from judge_lightning.court.records import IGNORED, SPLITS, LabelledTuple

DECILES = 10


@dataclass
class DatasetStatistics:
    """Counts of tuples, tokens and mistakes.

    ``lengths`` counts wrong answers by their number of tokens, ``first_mistakes`` by the token
    where the first mistake begins, ``deciles`` by the tenth of the answer that it lies in.
    """

    splits: Counter[str] = field(default_factory=Counter)
    families: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    drafters: Counter[str] = field(default_factory=Counter)
    labels: Counter[int] = field(default_factory=Counter)
    lengths: Counter[int] = field(default_factory=Counter)
    mistake_lengths: Counter[int] = field(default_factory=Counter)
    first_mistakes: Counter[int] = field(default_factory=Counter)
    deciles: Counter[int] = field(default_factory=Counter)
    prompts: set[int] = field(default_factory=set)
    confidence: float = 0.0

    def add(self, labelled: LabelledTuple) -> None:
        """Counts one tuple."""
        self.splits[labelled.split] += 1
        self.families[labelled.family] += 1
        self.sources[labelled.source] += 1
        self.drafters[labelled.drafter] += 1
        self.labels.update(labelled.correct_labels)
        self.labels.update(labelled.wrong_labels)
        first, past = labelled.mistake_tokens
        length = len(labelled.wrong_ids)
        self.lengths[length] += 1
        self.mistake_lengths[past - first] += 1
        self.first_mistakes[first] += 1
        self.deciles[min(DECILES - 1, first * DECILES // max(1, length))] += 1
        # The hash, because ids of millions of prompts would be most of the memory.
        self.prompts.add(hash(labelled.prompt_id))
        self.confidence += labelled.confidence

    @property
    def tuples(self) -> int:
        """How many tuples were counted."""
        return sum(self.splits.values())

    def as_json(self) -> dict[str, Any]:
        """Plain values for ``statistics.json``, metrics and the card."""
        judged = self.labels[CORRECT] + self.labels[MISTAKE]
        return {
            "tuples": self.tuples,
            "prompts": len(self.prompts),
            "splits": {split: self.splits[split] for split in SPLITS if self.splits[split]},
            "families": dict(sorted(self.families.items())),
            "sources": dict(sorted(self.sources.items())),
            "drafters": dict(sorted(self.drafters.items())),
            "tokens": judged,
            "correct_tokens": self.labels[CORRECT],
            "mistake_tokens": self.labels[MISTAKE],
            "ignored_tokens": self.labels[IGNORED],
            "mistake_share": self.labels[MISTAKE] / judged if judged else 0.0,
            "wrong_length_median": quantile(self.lengths, 0.5),
            "wrong_length_90": quantile(self.lengths, 0.9),
            "mistake_length_median": quantile(self.mistake_lengths, 0.5),
            "first_mistake_median": quantile(self.first_mistakes, 0.5),
            "first_mistake_deciles": [self.deciles[tenth] for tenth in range(DECILES)],
            "confidence_mean": self.confidence / self.tuples if self.tuples else 0.0,
        }


def quantile(counts: Counter[int], share: float) -> float:
    """The smallest value that at least ``share`` of what was counted does not exceed."""
    total = sum(counts.values())
    reached = 0
    for value in sorted(counts):
        reached += counts[value]
        if reached >= share * total:
            return float(value)
    return 0.0
