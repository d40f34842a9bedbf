"""Whether an answer is right: one rule a file.

A prompt names its checker in ``meta["checker"]``. A module here is a checker under its own name.
It has either a function ``check(prompt, text) -> bool``, or, when it needs models or processes,
a function ``build(tools) -> Rule`` with ``ready(tools)``, which raises UserError where it could
not work, and ``usable(prompt)``. Adding one touches nothing else.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from judge_lightning.court.chat import Chat, Failure
from judge_lightning.court.records import Prompt
from judge_lightning.errors import UserError

Pair = tuple[Prompt, str]
"""A prompt and the text of an answer to it."""

Verdict = bool | Failure
"""A failure says that a checker could not decide: the answer is neither right nor wrong."""

Rule = Callable[[Sequence[Pair]], list[Verdict]]

FAILED = "checker failed"

CHECKERS = tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))
"""The checkers that exist."""


class CheckerError(Exception):
    """A checker could not decide. ``reason`` is a short phrase that can be counted."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason, self.detail = reason, detail
        super().__init__(f"{reason}: {detail}" if detail else reason)


@dataclass(frozen=True)
class Tools:
    """What a checker may use.

    ``load_chat`` gives the model that judges open answers; ``workers`` programs run at a time;
    ``allow_code`` says that somebody agreed to running generated code.
    """

    load_chat: Callable[[], Chat] | None = None
    workers: int = 1
    allow_code: bool = False


class Checkers:
    """All checkers, each made ready when it is first needed."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._rules: dict[str, Rule] = {}

    def require(self, names: Iterable[str]) -> None:
        """Refuses, before any work, checkers that could not work.

        Raises:
            UserError: There is none of that name, or it lacks a model or a consent.
        """
        for name in sorted(set(names)):
            module = _module(name)
            if hasattr(module, "ready"):
                module.ready(self._tools)

    def check_all(self, pairs: Sequence[Pair]) -> list[Verdict]:
        """Whether each answer is right, in order; answers to one checker go to it together.

        A checker that throws, times out or cannot decide gives a failure.

        Raises:
            UserError: A checker that a prompt names does not exist, or lacks what it needs.
        """
        places: dict[str, list[int]] = {}
        for place, (prompt, _) in enumerate(pairs):
            places.setdefault(_name(prompt), []).append(place)
        verdicts: dict[int, Verdict] = {}
        for name, mine in places.items():
            found = self._apply(self._rule(name), [pairs[place] for place in mine])
            verdicts.update(zip(mine, found, strict=True))
        return [verdicts[place] for place in range(len(pairs))]

    def check(self, prompt: Prompt, text: str) -> bool:
        """Whether one answer is right.

        Raises:
            CheckerError: Its checker cannot decide.
            UserError: Its checker does not exist, or lacks what it needs.
        """
        (verdict,) = self.check_all([(prompt, text)])
        if isinstance(verdict, Failure):
            raise CheckerError(verdict.reason, verdict.detail)
        return verdict

    def _rule(self, name: str) -> Rule:
        if name not in self._rules:
            module = _module(name)
            build = getattr(module, "build", None)
            self._rules[name] = build(self._tools) if build else _one_by_one(module.check)
        return self._rules[name]

    def _apply(self, rule: Rule, pairs: Sequence[Pair]) -> list[Verdict]:
        try:
            verdicts = rule(pairs)
        except UserError:
            raise
        except Exception as error:
            return [_failure(error)] * len(pairs)
        if len(verdicts) != len(pairs):
            problem = f"{len(verdicts)} verdicts about {len(pairs)} answers"
            return [Failure(FAILED, problem)] * len(pairs)
        return verdicts


def load_checkers(
    load_chat: Callable[[], Chat] | None = None, workers: int = 1, allow_code: bool = False
) -> Checkers:
    """Makes all checkers available.

    Args:
        load_chat: Gives the model that judges open answers; called when one is first checked.
        workers: Generated programs that run at a time.
        allow_code: Whether generated code may run on this machine (docs/sandbox.md).
    """
    cached = None if load_chat is None else functools.cache(load_chat)
    return Checkers(Tools(cached, workers, allow_code))


def check(prompt: Prompt, text: str) -> bool:
    """Whether an answer is right, by a checker that needs neither models nor processes.

    Raises:
        UserError: The checker does not exist, or needs more: use ``load_checkers``.
    """
    name = _name(prompt)
    module = _module(name)
    if not hasattr(module, "check"):
        raise UserError(_FIELD, f"{name} decides nothing by itself", "use load_checkers")
    return bool(module.check(prompt, text))


def decides_alone(name: str) -> bool:
    """Whether a checker needs neither models nor processes.

    Raises:
        UserError: There is none of that name.
    """
    return hasattr(_module(name), "check")


def can_check(prompt: Prompt) -> bool:
    """Whether the prompt holds what its checker compares answers with: a readable reference.

    Raises:
        UserError: The prompt names no checker, or one that does not exist.
    """
    module = _module(_name(prompt))
    if hasattr(module, "check"):
        return bool(module.check(prompt, prompt.reference))
    return bool(module.usable(prompt)) if hasattr(module, "usable") else True


_FIELD = "meta.checker"


def _name(prompt: Prompt) -> str:
    return str(prompt.meta.get("checker", ""))


@functools.cache
def _module(name: str) -> Any:
    if name not in CHECKERS:
        raise UserError(_FIELD, f"unknown checker {name!r}", f"one of {list(CHECKERS)}")
    return importlib.import_module(f"{__name__}.{name}")


def _one_by_one(decide: Callable[[Prompt, str], bool]) -> Rule:
    def rule(pairs: Sequence[Pair]) -> list[Verdict]:
        return [_decide(decide, *pair) for pair in pairs]

    return rule


def _decide(decide: Callable[[Prompt, str], bool], prompt: Prompt, text: str) -> Verdict:
    try:
        return decide(prompt, text)
    except Exception as error:
        return _failure(error)


def _failure(error: Exception) -> Failure:
    reason = "timed out" if isinstance(error, TimeoutError) else FAILED
    return Failure(reason, f"{type(error).__name__}: {error}")
