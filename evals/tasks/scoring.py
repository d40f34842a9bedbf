"""Scores a generated answer as the court scores mined ones: with the prompt's own checker."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from judge_lightning.court.checkers import check
from judge_lightning.court.checkers.unit_tests import program
from judge_lightning.court.records import Prompt
from judge_lightning.sandbox import run_program


def checked(doc: dict[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Maps lm-eval's document and its one generation to ``{"acc": 0.0 or 1.0}``."""
    prompt = Prompt(**json.loads(doc["record"]))
    return {"acc": float(check(prompt, results[0]))}


def humaneval(doc: dict[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Runs HumanEval's tests on an answer in the sandbox: ``{"pass@1": 0.0 or 1.0}``.

    The answer goes on from the function's beginning, within the code block that the prompt has
    opened.
    """
    meta = {key: doc[key] for key in ("test", "entry_point")}
    return _passed(doc["prompt"], {**meta, "context": doc["prompt"]}, doc["prompt"] + results[0])


def mbpp(doc: dict[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Runs MBPP's assertions on an answer in the sandbox: ``{"pass@1": 0.0 or 1.0}``.

    The answer goes on within the code block that the prompt has opened.
    """
    tests = [*doc.get("test_imports", []), doc.get("test_setup_code") or "", *doc["test_list"]]
    return _passed(doc["text"], {"test": "\n".join(filter(None, tests))}, results[0])


def _passed(text: str, meta: Mapping[str, Any], code: str) -> dict[str, float]:
    prompt = Prompt("", text, "", "code", "eval", dict(meta))
    return {"pass@1": float(run_program(program(prompt, f"```python\n{code}")).passed)}
