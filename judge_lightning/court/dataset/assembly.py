"""From the annotated stretches to the data set: chosen, counted, written, in constant memory."""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from judge_lightning.court.dataset.statistics import DatasetStatistics
from judge_lightning.court.dataset.tables import DatasetWriter, read_table
from judge_lightning.court.records import LabelledTuple

Review = Callable[[Iterable[LabelledTuple], Counter[str]], Iterator[LabelledTuple]]
"""The tuples as people decided about them, and how many were decided in which way."""
DROPPED = ("rejected", "disputed", "no token to blame")
"""The decisions after which a tuple is not in the data set."""


@dataclass
class Assembled:
    """What became the data set, its first tuples as examples, and what did not get in."""

    statistics: DatasetStatistics = field(default_factory=DatasetStatistics)
    examples: list[LabelledTuple] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    reviewed: Counter[str] = field(default_factory=Counter)


def assemble(
    tables: Sequence[Path],
    guarded: Iterable[LabelledTuple],
    folder: Path,
    *,
    review: Review | None = None,
    maximum: int = 0,
    examples: int = 3,
    written: Callable[[Sequence[Path]], Iterable[Path]] = iter,
) -> Assembled:
    """Writes the tuples of all tables, and the guarded ones, into ``folder/data``.

    Args:
        tables: Parquet files of the annotated stretches; they are read twice if ``maximum`` is set.
        guarded: Tuples that are always taken, whatever ``maximum`` says.
        maximum: Keep this many of the tables' tuples, drawn by a hash of their texts, so that
            those that were drawn stay when others are added; 0 keeps all.
        examples: How many tuples to give back for people to read, by the same draw.
        written: Gives the tables one after the other while they are written, to show progress.
    """
    assembled = Assembled()
    last_draw = _last_draw(tables, review, maximum) if maximum else None
    writer = DatasetWriter(folder)
    shown: list[tuple[str, LabelledTuple]] = []
    for labelled in _reviewed(written(tables), review, assembled.reviewed):
        place = draw(labelled)
        if last_draw is not None and place > last_draw:
            assembled.left_out["over dataset.maximum_tuples"] += 1
            continue
        writer.write(labelled)
        assembled.statistics.add(labelled)
        shown = sorted([*shown, (place, labelled)], key=lambda one: one[0])[:examples]
    for labelled in guarded:
        writer.write(labelled)
        assembled.statistics.add(labelled)
    writer.close()
    for decision in DROPPED:
        if count := assembled.reviewed[decision]:
            assembled.left_out[f"{decision} by reviewers"] += count
    assembled.examples = [labelled for _, labelled in shown]
    return assembled


def draw(labelled: LabelledTuple) -> str:
    """A tuple's place in the drawing of lots: the same in every run."""
    return hashlib.sha256(f"{labelled.prompt_id}:{labelled.wrong_text}".encode()).hexdigest()


def _reviewed(
    tables: Iterable[Path], review: Review | None, decisions: Counter[str]
) -> Iterator[LabelledTuple]:
    tuples = (labelled for table in tables for labelled in read_table(table))
    return tuples if review is None else review(tuples, decisions)


def _last_draw(tables: Sequence[Path], review: Review | None, maximum: int) -> str | None:
    """The draw of the last tuple that gets in, or None when there is room for all."""
    draws = map(draw, _reviewed(tables, review, Counter()))
    chosen = heapq.nsmallest(maximum + 1, draws)
    return chosen[-2] if len(chosen) > maximum else None
