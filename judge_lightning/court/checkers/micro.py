"""Right where the micro world's own oracle says so."""

from __future__ import annotations

from judge_lightning.court.records import Prompt


def check(prompt: Prompt, text: str) -> bool:
    """Whether the answer to the problem ``meta["index"]`` of the family is right."""
    from judge_lightning.micro.world import is_right, problem

    pool = prompt.meta.get("pool", "court")
    return is_right(problem(prompt.family, int(prompt.meta["index"]), pool), text)
