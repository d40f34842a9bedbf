"""Programs that want everything: none gets more than its share, and none hangs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from judge_lightning.sandbox import Outcome, Program, Sandbox, run_programs
from judge_lightning.sandbox.limits import LIMITS

Attempt = Callable[..., Outcome]

ENDLESS = {
    "a loop": "while True: pass",
    "a loop in C": "sum(iter(int, 1))",
    "sleep": "import time; time.sleep(1000)",
    "output": "while True: print('x' * 10**6, flush=True)",
    "a search for a match": "import re; re.match('(a+)+$', 'a' * 60 + 'b')",
    "deafness to the time limit": (
        "import signal; [signal.signal(n, lambda *a: None) for n in (2, 14, 15, 24)]\n"
        "    while True: pass"
    ),
    "catching everything": (
        "while True:\n        try:\n            while True: pass\n        except: pass"
    ),
    "a deadlock": "import threading; lock = threading.Lock(); lock.acquire(); lock.acquire()",
    "an iterator": "import itertools; return (x for x in itertools.count())",
    "large numbers": "return 9 ** 9 ** 9",
    "depth": "import sys; sys.setrecursionlimit(10**9); return f()",
}


@pytest.fixture(scope="module")
def hurried(how: str) -> Iterator[Sandbox]:
    with Sandbox(replace(LIMITS, wall_seconds=0.8), how) as sandbox:
        yield sandbox


@pytest.mark.parametrize("endless", ENDLESS)
def test_nothing_runs_for_ever(hurried: Sandbox, endless: str) -> None:
    outcome = hurried.run(Program(f"def f():\n    {ENDLESS[endless]}", "assert f() is True"))

    assert outcome.verdict == "failed"
    assert outcome.seconds < 8


GREEDY = {
    "memory": "return len(bytearray(2**30)) > 0",
    "memory bit by bit": "x = []\n    while True: x.append(bytes(10**6))",
    "memory in children": """import os
    for _ in range(50): os.fork()
    return len(bytearray(2**30)) > 0""",
    "mapped memory": "import mmap; m = mmap.mmap(-1, 2**30); m.write(b'x' * 2**30); return True",
    "processes": """import os, time
    for _ in range(50):
        if os.fork() == 0: time.sleep(100)
    return True""",
    "threads": """import threading, time
    for _ in range(10000): threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
    return True""",
    "open files": "x = [open('/dev/null') for _ in range(1000)]; return True",
    "pipes": "import os; x = [os.pipe() for _ in range(1000)]; return True",
    "one large file": "open('/tmp/x', 'wb').write(bytes(2**24)); return True",
    "one sparse file": "open('/tmp/x', 'wb').truncate(2**40); return True",
    "many files": """
    for n in range(10**5): open(f'/tmp/{n}', 'wb').write(bytes(2**12))
    return True""",
    "many folders": """import os
    for n in range(10**5): os.mkdir(f'/tmp/{n}')
    return True""",
    "a loop of links": (
        "import os; os.symlink('/tmp/a', '/tmp/b'); os.symlink('/tmp/b', '/tmp/a')\n"
        "    return bool(open('/tmp/a').read())"
    ),
    "depth": "return f()",
    "a value without end": "x = []; x.append(x); return x",
    "a deep value": "x = []\n    for _ in range(10**5): x = [x]\n    return x",
    "a huge value": "return 'x' * 10**8",
    "semaphores": "import multiprocessing; return bool(multiprocessing.Lock())",
    "locked memory": "import ctypes; return ctypes.CDLL(None).mlockall(3) == 0",
    "input": "return bool(input())",
    "input byte by byte": "import sys; return bool(sys.stdin.buffer.read())",
}


@pytest.mark.parametrize("greed", GREEDY)
def test_nothing_takes_more_than_its_share(attempt: Attempt, greed: str) -> None:
    outcome = attempt(f"def f():\n    {GREEDY[greed]}")

    assert outcome.verdict == "failed"


def test_the_next_program_runs_after_a_hostile_one(how: str) -> None:
    right = Program("def f():\n    return True", "assert f() is True")
    hostile = Program("import os\nwhile True:\n    os.fork()", "assert f() is True")

    outcomes = run_programs(
        [hostile, right, hostile, right], replace(LIMITS, wall_seconds=1.0), workers=1, how=how
    )

    assert [outcome.passed for outcome in outcomes] == [False, True, False, True]
