"""MBPP, full and sanitized: short Python tasks, each with a few assertions."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from judge_lightning.court.sources.formats import (
    About,
    Item,
    RowError,
    text_field,
    text_list,
    text_or_nothing,
)

if TYPE_CHECKING:
    from judge_lightning.court.sources import Source

ABOUT = About(
    "MBPP", "https://github.com/google-research/google-research/tree/master/mbpp", "CC BY 4.0"
)


def read_row(row: Mapping[str, Any], source: Source) -> Item:
    """The prompt shows the assertions, as its authors do: they name the function.

    ``meta["test"]`` is a program of plain assertions that runs behind the answer's code.
    """
    task = text_field(row, "text", "prompt").strip()
    tests = text_list(row, "test_list")
    if not tests:
        raise RowError("field missing", "test_list is empty")
    imports = text_list(row, "test_imports") if row.get("test_imports") else []
    setup = text_or_nothing(row, "test_setup_code")
    shown = "\n".join(tests)
    return Item(
        text=f"{task}\n\nAnswer with a Python function in one code block. It has to pass:\n\n"
        f"```python\n{shown}\n```",
        reference=text_field(row, "code"),
        checker="unit_tests",
        content=f"{task}\n{shown}",
        meta={
            "test": "\n".join(part for part in (*imports, setup, *tests) if part),
            "entry_point": _tested_function(tests[0]),
            "task": row.get("task_id"),
        },
    )


def _tested_function(assertion: str) -> str:
    """The first called function that is none of Python's own: ``assert set(f(3)) == ...``."""
    try:
        tree = ast.parse(assertion)
    except (SyntaxError, ValueError) as error:
        raise RowError("tests unreadable", str(error)) from error
    for node in ast.walk(tree):
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Name) and not hasattr(builtins, called.id):
            return called.id
    raise RowError("tests unreadable", "the first assertion calls no function")
