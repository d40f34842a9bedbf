"""Code answers are right when they pass their prompt's unit tests."""

from __future__ import annotations

import pytest

from judge_lightning.court.chat import Failure
from judge_lightning.court.checkers import Checkers, load_checkers
from judge_lightning.court.checkers.unit_tests import program
from judge_lightning.court.records import Prompt
from judge_lightning.errors import UserError

STUB = 'import math\n\ndef area(r):\n    """The area of a disc."""\n'
BODY = "    return math.pi * r ** 2\n"
TEST = "def check(candidate):\n    assert abs(candidate(1) - 3.14159) < 1e-4"


def asked(text: str = STUB, entry_point: str = "area", test: str = TEST) -> Prompt:
    meta = {"checker": "unit_tests", "test": test, "entry_point": entry_point}
    return Prompt("p", text, BODY, "code", "train", meta)


@pytest.fixture(scope="module")
def checkers() -> Checkers:
    return load_checkers(workers=2, allow_code=True)


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        (BODY, True),
        (STUB + BODY, True),
        ("def area(r):\n    return math.pi * r * r", True),
        (f"Here it is:\n```python\n{STUB}{BODY}```\nIt squares the radius.", True),
        (f"```\n{STUB}{BODY}```\nTry it:\n```python\nprint(area(1))\n```", True),
        (f"```python\n{STUB}{BODY}", True),
        ("    return 3 * r ** 2\n", False),
        ("I cannot do that.", False),
        ("", False),
    ],
)
def test_an_answer_may_be_a_body_a_function_or_a_fenced_block(
    checkers: Checkers, answer: str, right: bool
) -> None:
    assert checkers.check(asked(), answer) is right


def test_a_prompt_may_end_in_the_functions_head(checkers: Checkers) -> None:
    prompt = asked("import math\n\ndef area(r):\n    # The area of a disc.\n")

    assert checkers.check(prompt, BODY)


def test_a_question_in_words_has_its_tests_call_the_function(checkers: Checkers) -> None:
    prompt = asked("Write a function that doubles a number.", "", "assert double(2) == 4")

    verdicts = checkers.check_all(
        [(prompt, "def double(x): return 2 * x"), (prompt, "def double(x): return x")]
    )

    assert verdicts == [True, False]


def test_a_tasks_helpers_stay_the_tasks_own() -> None:
    made = program(asked(), "def area(r): return 0")

    assert made.context == STUB
    assert made.solution.startswith(STUB)


def test_an_answer_that_leaves_is_wrong_and_broken_tests_decide_nothing(checkers: Checkers) -> None:
    broken = asked(test="def check(candidate)\n    pass")

    verdicts = checkers.check_all([(broken, BODY), (asked(), "    exit()\n")])

    assert isinstance(verdicts[0], Failure)
    assert verdicts[0].reason == "the tests are no Python"
    assert verdicts[1] is False


def test_generated_code_runs_only_where_somebody_agreed() -> None:
    with pytest.raises(UserError, match=r"mine\.allow_code: .* read docs/sandbox\.md"):
        load_checkers().check_all([(asked(), BODY)])
