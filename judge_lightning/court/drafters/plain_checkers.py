"""The checkers that need no model and no sandbox, a whole batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from judge_lightning.court.chat import Chat, Failure
from judge_lightning.court.checkers import check
from judge_lightning.court.records import Prompt


class PlainCheckers:
    """Checks one answer after the other."""

    def check_all(self, pairs: Sequence[tuple[Prompt, str]]) -> list[bool | Failure]:
        """One verdict a pair; a checker that throws is a failure, never a wrong answer."""
        return [_check(prompt, text) for prompt, text in pairs]


def load_checkers(load_chat: Callable[[], Chat] | None = None, workers: int = 1) -> PlainCheckers:
    """The checkers; none of these asks a chat or needs workers."""
    return PlainCheckers()


def _check(prompt: Prompt, text: str) -> bool | Failure:
    try:
        return check(prompt, text)
    except Exception as error:
        return Failure("checker failed", f"{type(error).__name__}: {error}")
