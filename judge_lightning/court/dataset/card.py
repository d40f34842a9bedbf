"""The data set's card: what a stranger wants to know, written from the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from judge_lightning.court.records import LabelledTuple

_HERE = Path(__file__).parent
_BAR = 30
"""Characters of the longest bar of a histogram."""
_LONGEST_EXAMPLE = 1200
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M"))


@dataclass(frozen=True)
class SourceFacts:
    """Where prompts come from. ``url`` and ``licence`` are empty where they are not known."""

    name: str
    prompts: int
    url: str = ""
    licence: str = ""


@dataclass(frozen=True)
class DrafterFacts:
    """Who answered: ``what`` is the model or file and how it wrote, ``right`` a share."""

    name: str
    what: str
    answers: int
    right: float


@dataclass(frozen=True)
class CardFacts:
    """Everything that a card says.

    Attributes:
        statistics: As ``DatasetStatistics.as_json`` gives them.
        left_out: Wrong answers that did not become a tuple, by reason.
        rejected: Records that could not be used, by reason.
        removed: Prompts that the filters removed, by reason.
        reviewed: What people decided, by kind of decision; empty where nobody looked.
        tokenizer: Whose tokens the ids and labels are.
        made_with: The command that makes the data set again.
    """

    name: str
    statistics: Mapping[str, Any]
    sources: Sequence[SourceFacts]
    drafters: Sequence[DrafterFacts]
    annotator: str
    after_mistake: str
    tokenizer: str
    examples: Sequence[LabelledTuple] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    rejected: Mapping[str, int] = field(default_factory=dict)
    removed: Mapping[str, int] = field(default_factory=dict)
    reviewed: Mapping[str, int] = field(default_factory=dict)
    made_with: str = ""


def write_card(facts: CardFacts) -> str:
    """The card in Markdown, with the metadata that the Hub and ``datasets`` read in front."""
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown; whatever users wrote stands in fenced blocks.
    )
    environment.filters["bar"] = _bar
    environment.filters["fenced"] = _fenced
    environment.filters["marked"] = _marked
    environment.filters["code"] = _code
    return environment.get_template("card.md.j2").render(
        facts=facts,
        statistics=facts.statistics,
        size=_size(facts.statistics["tuples"]),
        # The Hub's identifiers are lower-case.
        licences=sorted({source.licence.lower() for source in facts.sources if source.licence}),
    )


def _bar(count: int, counts: Sequence[int]) -> str:
    return "█" * round(_BAR * count / max(1, *counts))


def _size(tuples: int) -> str:
    return next((name for limit, name in _SIZES if tuples < limit), "n>1M")


def _marked(labelled: LabelledTuple) -> str:
    """The wrong answer with its mistake between arrows."""
    start, end = labelled.mistake_characters
    text = labelled.wrong_text
    return f"{text[:start]}⟦{text[start:end] or 'stops too early'}⟧{text[end:]}"


def _code(text: str) -> str:
    """The text on one line as code, so that no sign in it is taken for mark-up."""
    fence = "`"
    while fence in text:
        fence += "`"
    space = " " if len(fence) > 1 else ""
    return f"{fence}{space}{' '.join(text.split())}{space}{fence}"


def _fenced(text: str) -> str:
    """The text in a fenced block that nothing in it can close."""
    shown = text if len(text) <= _LONGEST_EXAMPLE else text[:_LONGEST_EXAMPLE] + " …"
    fence = "```"
    while fence in shown:
        fence += "`"
    return f"{fence}text\n{shown}\n{fence}"
