"""Models that are talked to: behind an OpenAI-compatible endpoint, or loaded here.

Drafters, the prompted checker and the prompted annotator all ask through ``Chat``, so each of
them runs on an endpoint or on a local model alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Message:
    """``role`` is ``system``, ``user`` or ``assistant``."""

    role: str
    content: str


@dataclass(frozen=True)
class Question:
    """A conversation to be continued ``samples`` times; ``id`` names it in errors and seeds."""

    id: str
    messages: tuple[Message, ...]
    max_new_tokens: int
    temperature: float = 0.0
    samples: int = 1


@dataclass(frozen=True)
class Completion:
    """What was said. Counts are tokens as the model's own tokenizer has them."""

    text: str
    finished: bool
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class Failure:
    """Why a question has no answer: a short ``reason`` that can be counted, and particulars."""

    reason: str
    detail: str


@dataclass
class Usage:
    """What was asked so far. ``cost`` is in the currency of the configured prices."""

    requests: int = 0
    retries: int = 0
    failures: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0


Reply = list[Completion | Failure]
"""One per sample, in order."""


class Chat(Protocol):
    """Something that answers questions."""

    @property
    def usage(self) -> Usage:
        """Counts of all questions so far."""

    def ask(self, questions: Sequence[Question]) -> Iterator[Reply]:
        """Answers in the questions' order; a question that fails does not stop the others."""
