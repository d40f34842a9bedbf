"""Runs generated programs where they can do no harm, and says whether they pass their tests.

The names below are imported when they are first used: the sandbox's own process imports this
package too, and starts once for every program.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from judge_lightning.sandbox.limits import Limits
    from judge_lightning.sandbox.programs import (
        Outcome,
        Program,
        Sandbox,
        run_program,
        run_programs,
    )
    from judge_lightning.sandbox.protections import Isolation, isolation, require_isolation

__all__ = [
    "Isolation",
    "Limits",
    "Outcome",
    "Program",
    "Sandbox",
    "isolation",
    "require_isolation",
    "run_program",
    "run_programs",
]

_HOMES = {
    "Limits": "limits",
    "Isolation": "protections",
    "isolation": "protections",
    "require_isolation": "protections",
    "Outcome": "programs",
    "Program": "programs",
    "Sandbox": "programs",
    "run_program": "programs",
    "run_programs": "programs",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
