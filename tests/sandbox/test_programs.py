"""What tests may do with a program across the wall between them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from judge_lightning.errors import UserError
from judge_lightning.sandbox import Outcome, Program, Sandbox, isolation, require_isolation


def run(sandbox: Sandbox, solution: str, test: str, **more: str) -> Outcome:
    return sandbox.run(Program(solution, test, **more))


VALUES = [
    "None", "True", "-7", "2.5", "float('inf')", "'ü\\ud800'", "b'\\x00'", "2j", "(1, (2,))",
    "{1, 2}", "{'a': [1], (1, 2): None}", "range(3)", "10 ** 400", "[[], {}, set(), ()]",
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES)
def test_plain_data_goes_across_and_back_unchanged(sandbox: Sandbox, value: str) -> None:
    test = f"assert same({value}) == {value} and type(same({value})) is type({value})"

    assert run(sandbox, "def same(x): return x", test).passed


def test_tests_may_be_a_check_of_the_entry_point(sandbox: Sandbox) -> None:
    test = "def check(candidate):\n    assert candidate(1) == 2"

    assert run(sandbox, "def f(x): return x + 1", test, entry_point="f").passed


def test_tests_may_use_the_tasks_own_functions_which_no_solution_replaces(
    sandbox: Sandbox,
) -> None:
    solution = "def twice(x): return 7\ndef f(x): return 7"
    test = "def check(candidate):\n    assert candidate(2) == twice(2)"
    context = "def twice(x):\n    return 2 * x"

    outcome = run(sandbox, solution, test, entry_point="f", context=context)

    assert outcome.reason == "an assertion failed"


def test_tests_may_use_the_solutions_classes(sandbox: Sandbox) -> None:
    solution = """
class Node:
    def __init__(self, value): self.value, self.left = value, None
def depth(node): return 0 if node is None else 1 + depth(node.left)
"""
    test = "root = Node(1)\nroot.left = Node(2)\nassert depth(root) == 2 and root.left.value == 2"

    assert run(sandbox, solution, test).passed


def test_tests_see_what_a_function_does_to_its_arguments(sandbox: Sandbox) -> None:
    test = "items = [3, 1, 2]\nassert arrange(items) is None and items == [1, 2, 3]"

    assert run(sandbox, "def arrange(x): x.sort()", test).passed


def test_tests_may_expect_an_exception(sandbox: Sandbox) -> None:
    solution = "class Odd(ValueError): pass\ndef f(x): raise Odd('no')"
    test = (
        "try:\n    f(1)\n    assert 0\nexcept ValueError as error:\n    assert 'no' in str(error)"
    )

    assert run(sandbox, solution, test).passed


def test_an_iterator_arrives_as_an_iterator(sandbox: Sandbox) -> None:
    assert run(sandbox, "def f(): yield from 'ab'", "assert list(f()) == ['a', 'b']").passed


def test_the_standard_library_is_the_tests_own(sandbox: Sandbox) -> None:
    solution = "class math:\n    isclose = lambda *a: True\ndef f(): return 7.0"

    outcome = run(sandbox, solution, "assert math.isclose(f(), 1.0)")

    assert outcome.reason == "an assertion failed"


def test_a_program_may_write_into_its_own_folder(sandbox: Sandbox, how: str) -> None:
    if how == "filter":
        pytest.skip("without namespaces nothing can be written (docs/sandbox.md)")
    solution = "def f():\n    open('x', 'w').write('a')\n    return open('x').read()"

    assert run(sandbox, solution, "assert f() == 'a'").passed
    assert run(sandbox, "import os\ndef f(): return os.listdir()", "assert f() == []").passed


@pytest.mark.parametrize(
    ("test", "reason"),
    [
        ("assert f(1 == 1", "the tests are no Python"),
        ("assert True", "the tests never call the program"),
        ("assert f(lambda: 1)", "the tests hand over what cannot be carried"),
    ],
)
def test_tests_that_cannot_decide_say_so(sandbox: Sandbox, test: str, reason: str) -> None:
    outcome = run(sandbox, "def f(x): return x", test)

    assert (outcome.verdict, outcome.reason) == ("undecided", reason)


def test_a_failure_says_why(sandbox: Sandbox) -> None:
    outcome = run(sandbox, "import os\nos._exit(3)", "assert f()")

    assert outcome.reason == "ended before the tests were over"
    assert outcome.detail == "exit status 3"


def test_a_function_that_is_missing_fails(sandbox: Sandbox) -> None:
    outcome = run(sandbox, "def g(x): pass", "def check(c): assert c(1)", entry_point="f")

    assert outcome.detail == "the program has no f"


def test_where_namespaces_are_refused_the_filter_protects_alone() -> None:
    script = """
from judge_lightning.sandbox.seccomp import refuse_system_calls
from judge_lightning.sandbox import isolation
refuse_system_calls(alone=False)
found = isolation()
print(found.how, found.missing, "unshare" in found.problem)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True, text=True, check=True, timeout=60,
        cwd=Path(__file__).parents[2], env={"PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip

    assert done.stdout.split(maxsplit=1) == ["filter", "[] True\n"]


def test_a_machine_without_protection_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    isolation.cache_clear()
    monkeypatch.setattr(sys, "platform", "darwin")

    with pytest.raises(UserError, match="darwin has neither namespaces nor seccomp"):
        require_isolation()

    isolation.cache_clear()


def test_the_report_names_every_protection() -> None:
    found = isolation()

    assert found.how in ("namespaces", "filter")
    assert found.missing == []
    assert "network refused" in found.protections
