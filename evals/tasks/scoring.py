"""Scores a generated answer as the court scores mined ones: with the prompt's own checker."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from judge_lightning.court.checkers import check
from judge_lightning.court.records import Prompt


def checked(doc: dict[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Maps lm-eval's document and its one generation to ``{"acc": 0.0 or 1.0}``.

    ``doc["record"]`` is the prompt's JSON: as a nested column, the sources' different
    ``meta`` fields would be merged into one table schema.
    """
    prompt = Prompt(**json.loads(doc["record"]))
    return {"acc": float(check(prompt, results[0]))}
