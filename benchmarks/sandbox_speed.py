"""How long the sandbox takes for HumanEval's own solutions, all of which must pass.

``python -m benchmarks.sandbox_speed FILE`` reads HumanEval's file (``prompt``,
``canonical_solution``, ``test``, ``entry_point``), and prints what protects this machine, too.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
import time
from pathlib import Path

from judge_lightning.sandbox import Program, isolation, run_programs


def main(arguments: list[str] | None = None) -> int:
    """Prints the time and the solutions that did not pass; 1 where there are such."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)
    with gzip.open(options.file, "rt", encoding="utf-8") as file:
        tasks = [json.loads(line) for line in file]
    found = isolation()
    print(f"confined by: {found.how}")
    for name, holds in found.protections.items():
        print(f"  {name}: {'yes' if holds else 'no'}")
    programs = [
        Program(
            task["prompt"] + task["canonical_solution"],
            task["test"],
            task["entry_point"],
            task["prompt"],
        )
        for task in tasks
    ]
    began, cpu_began = time.monotonic(), os.times()
    outcomes = run_programs(programs, workers=options.workers)
    seconds, cpu = time.monotonic() - began, os.times()
    spent = sum(cpu[:4]) - sum(cpu_began[:4])
    passed = sum(outcome.passed for outcome in outcomes)
    print(
        f"{passed} of {len(outcomes)} passed in {seconds:.1f} s with {options.workers} workers "
        f"({spent:.1f} s of CPU time)"
    )
    for task, outcome in zip(tasks, outcomes, strict=True):
        if not outcome.passed:
            print(f"{task['task_id']}: {outcome.reason} {outcome.detail}")
    return int(passed < len(outcomes))


if __name__ == "__main__":
    sys.exit(main())
