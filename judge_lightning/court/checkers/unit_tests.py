"""Right where the answer's code passes the prompt's unit tests, in the sandbox.

The tests stand in ``meta["test"]``, the tested function in ``meta["entry_point"]`` and code that
they may use in ``meta["context"]``; without one the prompt's own text is that, where it is code.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from judge_lightning.court.chat import Failure
from judge_lightning.court.checkers import Pair, Rule, Tools, Verdict
from judge_lightning.court.records import Prompt
from judge_lightning.errors import UserError
from judge_lightning.sandbox import Outcome, Program, require_isolation, run_programs
from judge_lightning.sandbox.programs import PASSED, UNDECIDED

_FENCED = re.compile(
    r"```[ \t]*(?:python3?|py)?[ \t]*\n(.*?)(?:\n[ \t]*```|\Z)", re.DOTALL | re.IGNORECASE
)


def build(tools: Tools) -> Rule:
    """Gives the rule that runs ``tools.workers`` programs at a time.

    Raises:
        UserError: Nobody has agreed to running generated code, or it cannot be confined here.
    """
    ready(tools)

    def rule(pairs: Sequence[Pair]) -> list[Verdict]:
        programs = [program(prompt, text) for prompt, text in pairs]
        return [_verdict(one) for one in run_programs(programs, workers=tools.workers)]

    return rule


def ready(tools: Tools) -> None:
    """Raises UserError where generated code may not run, or cannot be confined."""
    if not tools.allow_code:
        raise UserError(
            "mine.allow_code",
            "the checker unit_tests runs generated code on this machine",
            "read docs/sandbox.md, then agree with mine.allow_code=true",
        )
    require_isolation()


def usable(prompt: Prompt) -> bool:
    """There are tests."""
    return bool(str(prompt.meta.get("test", "")).strip())


def program(prompt: Prompt, text: str) -> Program:
    """The answer's code with the prompt's tests.

    A fenced block counts as the code, of several the last that defines the tested function. An
    answer that goes on with the prompt's code, as HumanEval's do, is put behind it.
    """
    entry_point = str(prompt.meta.get("entry_point") or "")
    stub = prompt.text if _defines(prompt.text, entry_point) and _is_stub(prompt.text) else ""
    blocks = [match[1] for match in _FENCED.finditer(text)] or [text]
    code = next((block for block in reversed(blocks) if _defines(block, entry_point)), None)
    if code is None:
        code = stub + blocks[-1]
    elif stub:
        # The task's imports and helpers, which an answer need not repeat.
        code = f"{stub}\n\n{code}"
    context = str(prompt.meta.get("context", stub))
    return Program(code, str(prompt.meta["test"]), entry_point, context)


def _defines(code: str, name: str) -> bool:
    return bool(name) and bool(re.search(rf"^def\s+{re.escape(name)}\b", code, re.MULTILINE))


def _is_stub(text: str) -> bool:
    """Whether a function body may follow: the text is code, and need not have a docstring."""
    return _is_python(text) or _is_python(f"{text}\n    pass\n")


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _verdict(outcome: Outcome) -> Verdict:
    if outcome.verdict == UNDECIDED:
        return Failure(outcome.reason, outcome.detail)
    return outcome.verdict == PASSED
