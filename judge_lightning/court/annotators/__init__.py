"""Annotators find the first mistake of a wrong answer: one rule a file.

A module here is an annotator under its own name. It has either a function
``annotate(prompt, answer) -> Finding | Mistake | None``, or, when it needs models or
options, ``build(tools) -> Annotator`` and an ``OPTIONS`` dataclass. Adding one touches
nothing else.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from judge_lightning.court.records import Answer, Prompt
from judge_lightning.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from judge_lightning.court.batches import Writer
    from judge_lightning.court.chat import Chat

Options = TypeVar("Options")


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


@dataclass(frozen=True)
class Finding:
    """What an annotator says about one answer.

    ``mistake`` None and ``decided`` says that the answer holds no mistake; ``decided`` False
    that the annotator cannot tell, ``note`` why (a short phrase that can be counted).
    ``generations`` is how many answers had to be written to find out.
    """

    mistake: Mistake | None
    decided: bool = True
    generations: int = 0
    note: str = ""


@dataclass(frozen=True)
class Case:
    """One answer to be looked at."""

    prompt: Prompt
    answer: Answer


class Annotator(Protocol):
    """Looks at a batch of answers, right or wrong ones, and gives a finding each, in order.

    A finding depends on its own case alone, never on what else is in the batch.
    """

    def __call__(self, cases: Sequence[Case]) -> list[Finding]: ...


@dataclass(frozen=True)
class Tools:
    """What an annotator may use. Models are loaded when they are first asked for.

    ``check`` is the court's checker: whether an answer's text is right for a prompt.
    """

    tokenizer: PreTrainedTokenizerBase
    check: Callable[[Prompt, str], bool]
    load_target: Callable[[], PreTrainedModel | Writer]
    load_chat: Callable[[], Chat]
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    batch_size: int = 32


def annotator_names() -> list[str]:
    """The annotators that exist."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def check_annotator(name: str, options: Mapping[str, Any]) -> None:
    """Raises UserError for an annotator or an option that does not exist."""
    module = _module(name)
    known = [f.name for f in fields(module.OPTIONS)] if hasattr(module, "OPTIONS") else []
    for option in options:
        if option not in known:
            remedy = f"its options are {known}" if known else "it has no options"
            raise UserError(f"annotate.options.{option}", f"{name} has no such option", remedy)
    if known:
        read_options(options, module.OPTIONS)


def read_options(options: Mapping[str, Any], kind: type[Options]) -> Options:
    """An annotator's options, with defaults where none is given.

    Raises:
        UserError: A value is of another type than the option's default, or is refused.
    """
    for option in fields(cast("Any", kind)):
        default, value = option.default, options.get(option.name, option.default)
        alike = (int, float) if isinstance(default, float) else type(default)
        if default is not None and (
            not isinstance(value, alike) or isinstance(value, bool) != isinstance(default, bool)
        ):
            raise UserError(
                f"annotate.options.{option.name}",
                f"{value!r} is no {type(default).__name__}",
                f"its default is {default!r}",
            )
    return kind(**options)


def load_annotator(name: str, tools: Tools | None = None) -> Annotator:
    """Finds the annotator of that name. ``tools`` may be left out for one that needs none.

    Raises:
        UserError: There is none, or it needs tools.
    """
    module = _module(name)
    if not hasattr(module, "build"):
        return _one_by_one(module.annotate)
    if tools is None:
        raise UserError("annotate.name", f"{name} needs models", "give it tools")
    annotator: Annotator = module.build(tools)
    return annotator


def _module(name: str) -> Any:
    if name not in annotator_names():
        raise UserError(
            "annotate.name", f"unknown annotator {name!r}", f"one of {annotator_names()}"
        )
    return importlib.import_module(f"{__name__}.{name}")


def _one_by_one(annotate: Callable[[Prompt, Answer], Finding | Mistake | None]) -> Annotator:
    def annotator(cases: Sequence[Case]) -> list[Finding]:
        said = [annotate(case.prompt, case.answer) for case in cases]
        return [one if isinstance(one, Finding) else Finding(one) for one in said]

    return annotator
