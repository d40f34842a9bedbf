"""The kinds of heads: one file of this package each, found by looking.

A kind is what ``judge.head`` names. Its file holds the head and, for training, its bank, and names
the head ``HEAD``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from judge_lightning.errors import UserError
from judge_lightning.heads.base import JudgeHead

_PACKAGE = __name__.rpartition(".")[0]


def head_kinds() -> list[str]:
    """The kinds that exist."""
    folder = str(Path(__file__).parent)
    names = (module.name for module in pkgutil.iter_modules([folder]))
    return sorted(name for name in names if hasattr(_module(name), "HEAD"))


def head_class(kind: str, field: str = "judge.head") -> type[JudgeHead]:
    """The class of a kind.

    Raises:
        UserError: There is no such kind; ``field`` is where it was asked for.
    """
    if kind not in head_kinds():
        raise UserError(
            field, f"there is no head {kind!r}", f"use one of {', '.join(head_kinds())}"
        )
    found: type[JudgeHead] = _module(kind).HEAD
    return found


def read_options(
    kind: str, options: Mapping[str, Any], layers: int | None, field: str = "judge"
) -> dict[str, Any]:
    """A kind's options with its defaults, checked.

    Args:
        layers: How many layers the target has; None where that is not known yet.
        field: Where ``head`` and ``options`` stand, for messages.

    Raises:
        UserError: There is no such kind or option, or a value makes no sense.
    """
    head = head_class(kind, f"{field}.head")
    for name in options:
        if name not in head.OPTIONS:
            known = ", ".join(head.OPTIONS)
            remedy = f"its options are {known}" if known else "it has no options"
            raise UserError(
                f"{field}.options.{name}", f"the head {kind} has no such option", remedy
            )
    given = {**head.OPTIONS, **options}
    try:
        head.check_options(given, layers)
    except UserError as error:
        raise UserError(f"{field}.options.{error.field}", error.problem, error.remedy) from None
    return given


def _module(name: str) -> Any:
    return importlib.import_module(f"{_PACKAGE}.{name}")
