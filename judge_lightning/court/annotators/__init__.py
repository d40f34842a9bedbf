"""Annotators find the first mistake of a wrong answer: one rule a file.

A module here with a function ``annotate(prompt, answer) -> Mistake | None`` is an annotator
under its own name; adding one touches nothing else.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

from judge_lightning.court.records import Answer, Prompt
from judge_lightning.errors import UserError


@dataclass(frozen=True)
class Mistake:
    """Characters ``start`` to ``end`` (half-open) of an answer's text.

    An empty range at the text's end says that the answer stops too early. ``confidence`` is
    in 0 to 1; ``evidence`` is what a person is shown.
    """

    start: int
    end: int
    confidence: float
    evidence: str


Annotator = Callable[[Prompt, Answer], Mistake | None]


def annotator_names() -> list[str]:
    """The annotators that exist."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load_annotator(name: str) -> Annotator:
    """Finds the annotator of that name.

    Raises:
        UserError: There is none.
    """
    if name not in annotator_names():
        raise UserError(
            "annotate.name", f"unknown annotator {name!r}", f"one of {annotator_names()}"
        )
    annotate: Annotator = importlib.import_module(f"{__name__}.{name}").annotate
    return annotate
