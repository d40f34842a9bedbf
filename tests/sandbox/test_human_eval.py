"""The sandbox agrees with HumanEval about its own solutions, and about spoilt ones."""

from __future__ import annotations

import ast
import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from judge_lightning.sandbox import Outcome, Program, run_programs

Task = dict[str, str]


@pytest.fixture(scope="module")
def tasks() -> list[Task]:
    folder = Path(os.environ.get("JUDGE_DATA_DIR", Path(__file__).parents[3] / "shared" / "data"))
    path = folder / "HumanEval.jsonl.gz"
    if not path.exists():
        pytest.skip("JUDGE_DATA_DIR holds no HumanEval.jsonl.gz")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def run(solutions: list[tuple[Task, str]]) -> list[Outcome]:
    programs = [
        Program(solution, task["test"], task["entry_point"], context=task["prompt"])
        for task, solution in solutions
    ]
    return run_programs(programs, workers=2)


def canonical(task: Task) -> str:
    return task["prompt"] + task["canonical_solution"]


def test_every_canonical_solution_passes(tasks: list[Task]) -> None:
    outcomes = run([(task, canonical(task)) for task in tasks])

    failed = [task["task_id"] for task, one in zip(tasks, outcomes, strict=True) if not one.passed]
    assert len(tasks) == 164
    assert failed == []


def test_prompts_without_a_solution_fail(tasks: list[Task]) -> None:
    outcomes = run([(task, task["prompt"]) for task in tasks[::6]])

    assert {outcome.verdict for outcome in outcomes} == {"failed"}


@pytest.mark.parametrize("mutation", ["wrapped", "negated", "off_by_one"])
def test_every_mutant_fails(tasks: list[Task], mutation: str) -> None:
    mutants = [(task, _mutant(task, mutation)) for task in tasks[::6]]

    outcomes = run(mutants)

    survivors = [
        task["task_id"]
        for (task, _), outcome in zip(mutants, outcomes, strict=True)
        if outcome.verdict != "failed"
    ]
    assert survivors == []


def _mutant(task: Task, mutation: str) -> str:
    """The canonical solution with every result of the tested function changed."""
    tree = ast.parse(canonical(task))
    for function in tree.body:
        if isinstance(function, ast.FunctionDef) and function.name == task["entry_point"]:
            for place in _returns(function):
                assert place.value is not None
                place.value = _MUTATIONS[mutation](place.value)
    return ast.unparse(ast.fix_missing_locations(tree))


def _returns(function: ast.FunctionDef) -> Iterator[ast.Return]:
    """The returns of the function itself, not of functions within it."""
    waiting: list[Any] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Return):
            yield node
        elif not isinstance(node, (ast.FunctionDef, ast.Lambda)):
            waiting.extend(ast.iter_child_nodes(node))


def _call(source: str, value: ast.expr) -> ast.expr:
    call = ast.parse(source, mode="eval").body
    assert isinstance(call, ast.Call)
    call.args = [value]
    return call


_MUTATIONS = {
    "wrapped": lambda value: _call("(lambda result: [result])()", value),
    "negated": lambda value: _call(
        "(lambda result: not result if isinstance(result, bool) else None)()", value
    ),
    "off_by_one": lambda value: _call(
        "(lambda r: r + 1 if isinstance(r, (int, float)) and not isinstance(r, bool)"
        " else r[1:] if r and isinstance(r, (str, list, tuple)) else [r])()",
        value,
    ),
}
