"""The micro world's own oracle: it knows every right way to answer."""

from __future__ import annotations

from judge_lightning.court.annotators import Mistake
from judge_lightning.court.records import Answer, Prompt
from judge_lightning.errors import UserError
from judge_lightning.micro.world import first_mistake, problem


def annotate(prompt: Prompt, answer: Answer) -> Mistake | None:
    """The first word that no right answer has in its place.

    Raises:
        UserError: The prompt is not of the micro world.
    """
    if prompt.meta.get("checker") != "micro":
        raise UserError(
            "annotate.name",
            f"the oracle knows the micro world only, not prompt {prompt.id}",
            "choose annotate=calculator",
        )
    pool = prompt.meta.get("pool", "court")
    found = first_mistake(problem(prompt.family, int(prompt.meta["index"]), pool), answer.text)
    if found is None:
        return None
    start, end = found
    said = answer.text[start:end]
    return Mistake(start, end, 1.0, f"{said!r} has no place here" if said else "stops too early")
