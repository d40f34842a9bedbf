"""The shards of annotate: stretches of the court's prompts, each labelled as a whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge_lightning.court.stretches import Stretch
from judge_lightning.crew import beside
from pipelines.annotating import annotator_tools
from pipelines.config import RunConfig
from pipelines.pair import load_pair_tokenizer

if TYPE_CHECKING:
    from judge_lightning.court.tuples import Court


def stretch_facts(work: Path, number: int) -> Path:
    """The file that says what became of a stretch; it is written last."""
    return work / f"stretch-{number:05d}.json"


@dataclass(frozen=True)
class StretchShard:
    """A stretch whose answers in ``mined`` are joined into tuples in ``work``."""

    work: Path
    mined: Path
    stretch: Stretch

    @property
    def name(self) -> str:
        """``stretch-<number>``."""
        return stretch_facts(self.work, self.stretch.number).stem

    def do(self, bench: LabelBench) -> Iterator[None]:
        """Writes the tuples, then the facts; yields once."""
        from judge_lightning.court.dataset.tables import write_table

        court = bench.label(self.stretch, self.mined)
        write_table(self.work / f"tuples-{self.stretch.number:05d}.parquet", court.tuples)
        facts = {
            "tuples": len(court.tuples),
            "answers": court.answers,
            "generations": court.generations,
            "left_out": dict(sorted(court.left_out.items())),
            "rejected": [asdict(one) for one in court.rejected],
        }
        path = stretch_facts(self.work, self.stretch.number)
        unfinished = beside(path)
        unfinished.write_text(json.dumps(facts, sort_keys=True) + "\n", encoding="utf-8")
        unfinished.replace(path)
        yield


class LabelBench:
    """The annotator and what reads the pair's tokens."""

    def __init__(self, config: RunConfig) -> None:
        from judge_lightning.court.annotators import load_annotator
        from judge_lightning.court.labels import TokenSpans

        self._config = config
        self._annotate: Any = load_annotator(config.annotate.name, annotator_tools(config))
        self._tokenizer = load_pair_tokenizer(config)
        self._spans = TokenSpans(self._tokenizer)

    def label(self, stretch: Stretch, mined: Path) -> Court:
        """The tuples of a stretch, and what gave none."""
        from judge_lightning.court.stretches import read_answers
        from judge_lightning.court.tuples import label_court

        return label_court(
            stretch.prompts,
            read_answers(mined, stretch.number),
            self._annotate,
            self._tokenizer,
            after_mistake=self._config.annotate.after_mistake,
            check_right=self._config.annotate.check_right,
            spans=self._spans,
        )
