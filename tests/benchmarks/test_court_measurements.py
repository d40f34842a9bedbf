"""The measurements that the docs quote run and say what they promise."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from benchmarks import number_checker, sandbox_speed


def test_the_number_checker_names_its_disagreements(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "solutions.jsonl"
    row = {
        "question": "2 + 2?",
        "ground_truth": "A: 4",
        "one": {"solution": "A: 4", "is_correct": True},
        "other": {"solution": "A: 5", "is_correct": True},
    }
    path.write_text(json.dumps(row) + "\n")

    status = number_checker.main([str(path)])

    assert status == 1
    printed = capsys.readouterr().out
    assert "agreement 50.00% on 2 solutions, 2 of them right" in printed
    assert "line 1, other: known True, found False" in printed


def test_the_sandboxs_speed_names_what_did_not_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tasks.jsonl.gz"
    task = {"prompt": "def f(x):\n", "entry_point": "f", "canonical_solution": "    return x\n"}
    tests = {"good": "assert candidate(1) == 1", "bad": "assert candidate(1) == 2"}
    with gzip.open(path, "wt") as file:
        for name, test in tests.items():
            check = f"def check(candidate):\n    {test}"
            file.write(json.dumps({**task, "task_id": name, "test": check}) + "\n")

    status = sandbox_speed.main([str(path)])

    assert status == 1
    printed = capsys.readouterr().out
    assert "network refused: yes" in printed
    assert "1 of 2 passed" in printed
    assert "bad: an assertion failed" in printed
