"""What the report says of texts that the target was offered: statistics, summary, in words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evals.acceptance import TextStatistics, position_width, text_statistics
from evals.scored_text import JUDGE_FILE, read_scores, score_files
from evals.text_examples import TextExample, read_text_examples
from pipelines.durable import read_json


@dataclass(frozen=True)
class AcceptanceIdentity:
    """What was measured.

    Attributes:
        texts: Each text's name and what it is, in words.
        draft_length: M of the tokens that are offered at a time.
        annotator: Who said which tokens are correct; None: nobody.
    """

    texts: dict[str, str]
    draft_length: int
    annotator: str | None


@dataclass(frozen=True)
class AcceptanceMaterial:
    """Everything that the section is rendered from.

    Attributes:
        threshold: The judge's; None without one.
        layer: That the judge reads, 0-based.
        texts: Statistics by text, in the configured order.
        examples: One answer of each text, where there is something to see.
    """

    identity: AcceptanceIdentity
    threshold: float | None
    layer: int | None
    texts: dict[str, TextStatistics]
    examples: list[TextExample]

    @property
    def main(self) -> str:
        """The text of the headline: the first of which tokens are known to be correct and not
        all are accepted, else the first."""
        for name, text in self.texts.items():
            if text.correct_rejected is not None and text.correct_rejected.value > 0:
                return name
        return next(iter(self.texts))

    @property
    def labelled(self) -> bool:
        """Whether it is known of any token if it is correct."""
        return any(text.correct or text.mistakes for text in self.texts.values())

    @property
    def mistakes(self) -> tuple[int, int]:
        """Tokens of mistakes in all texts that standard rule or judge keeps, and how many there
        are."""
        ranks = [rank for text in self.texts.values() for rank in text.by_rank]
        return sum(rank.kept_mistakes for rank in ranks), sum(rank.mistakes for rank in ranks)


def read_acceptance(identity: AcceptanceIdentity, folder: Path) -> AcceptanceMaterial:
    """Reads the stage's artifact and counts."""
    judge = read_json(folder / JUDGE_FILE)
    threshold = judge["threshold"]
    shards = {name: score_files(folder, name) for name in identity.texts}
    longest = max(
        len(answer.token_ids) for paths in shards.values() for answer in read_scores(paths)
    )
    width = position_width(longest)
    return AcceptanceMaterial(
        identity=identity,
        threshold=threshold,
        layer=judge["layer"],
        texts={
            name: text_statistics(
                read_scores(paths),
                draft_length=identity.draft_length,
                position_bin=width,
                threshold=threshold,
            )
            for name, paths in shards.items()
        },
        examples=read_text_examples(folder / "examples.jsonl"),
    )


def summarise_acceptance(material: AcceptanceMaterial) -> dict[str, Any]:
    """The section as plain JSON values; ``texts`` by name.

    Standard errors are over prompts. ``main`` is the text of the headline.
    """
    identity = material.identity
    return {
        "draft_length": identity.draft_length,
        "annotator": identity.annotator,
        "threshold": material.threshold,
        "layer": material.layer,
        "main": material.main,
        "texts": {
            name: {"description": identity.texts[name], **asdict(text)}
            for name, text in material.texts.items()
        },
    }
