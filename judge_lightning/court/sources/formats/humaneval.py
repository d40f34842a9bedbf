"""HumanEval: Python functions to be completed, with unit tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from judge_lightning.court.sources.formats import About, Item, text_field

if TYPE_CHECKING:
    from judge_lightning.court.sources import Source

ABOUT = About("HumanEval", "https://github.com/openai/human-eval", "MIT")


def read_row(row: Mapping[str, Any], source: Source) -> Item:
    """The reference is the whole function, as an answer is: the original has its body only.

    ``meta["context"]`` is where the function begins, for answers that only go on from there;
    ``meta["test"]`` defines ``check(candidate)``.
    """
    code = text_field(row, "prompt")
    return Item(
        text=f"Complete this Python function. Answer with the whole function in one code block.\n\n"
        f"```python\n{code.strip()}\n```",
        reference=code + text_field(row, "canonical_solution"),
        checker="unit_tests",
        content=code,
        meta={
            "context": code,
            "test": text_field(row, "test"),
            "entry_point": text_field(row, "entry_point"),
            "task": row.get("task_id"),
        },
    )
