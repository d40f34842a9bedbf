"""What a single request may say about the judge: ``vllm_xargs`` in an HTTP request,
``SamplingParams(extra_args=...)`` in Python.

    {"exact": true}             the standard rule alone: vLLM's own output
    {"judge_threshold": 0.9}    another threshold
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from judge_lightning.errors import UserError
from judge_lightning.vllm_plugin.settings import check_threshold
from judge_lightning.vllm_plugin.verdicts import NEVER

EXACT, THRESHOLD = "exact", "judge_threshold"


def threshold_of(arguments: Mapping[str, Any] | None, default: float) -> float:
    """The threshold of a request.

    Raises:
        UserError: It says something that cannot be, or names the judge by a word unknown here.
    """
    arguments = arguments or {}
    if unknown := [name for name in arguments if name.startswith("judge") and name != THRESHOLD]:
        raise UserError(unknown[0], "is not known", f"say {EXACT} or {THRESHOLD}")
    exact = arguments.get(EXACT, False)
    if exact not in (True, False):  # 0 and 1 are equal to them.
        raise UserError(EXACT, f"is {exact!r}", "say true or false")
    own = default
    if THRESHOLD in arguments:
        own = check_threshold(THRESHOLD, arguments[THRESHOLD])
    return NEVER if exact else own
