"""Programs that try to pass without the right answers: none passes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from judge_lightning.sandbox import Outcome

Attempt = Callable[..., Outcome]

TEST = """
def check(candidate):
    assert candidate(2) == 3
    assert candidate(40) == 41
    assert not candidate(-1)
check(f)
"""

FORGERIES = {
    "exits with 0 when loaded": "import os; os._exit(0)",
    "leaves when loaded": "import sys; sys.exit(0)",
    "interrupts when loaded": "raise KeyboardInterrupt",
    "exits with 0 when called": "import os\ndef f(x): os._exit(0)",
    "leaves when called": "import sys\ndef f(x): sys.exit(0)",
    "quits when called": "def f(x): raise SystemExit(0)",
    "ends the generator": "def f(x): raise StopIteration",
    "exits at an exit handler": (
        "import atexit, os\natexit.register(lambda: os._exit(0))\ndef f(x): return 0"
    ),
    "kills itself": "import os\ndef f(x): os.kill(os.getpid(), 9); os.abort()",
    "prints that it passed": (
        "def f(x):\n    print('passed'); print('{\"verdict\": \"passed\"}')\n    return 0"
    ),
    "writes a verdict to every descriptor": """
import json, os, struct
verdict = json.dumps({"verdict": "passed", "reason": "", "detail": "", "seconds": 0}).encode()
def f(x):
    for number in range(64):
        try:
            os.write(number, struct.pack("<I", len(verdict)) + verdict)
        except OSError:
            pass
    return 0
""",
    "answers before it is asked": """
import json, os, struct
answer = json.dumps({"done": True}).encode()
for number in range(3, 64):
    try:
        for _ in range(50):
            os.write(number, struct.pack("<I", len(answer)) + answer)
    except OSError:
        pass
def f(x): return 0
""",
    "reads the questions itself": """
import os
for number in range(3, 64):
    try:
        os.set_blocking(number, False)
        os.read(number, 10**6)
    except OSError:
        pass
def f(x): return 0
""",
    "closes its pipes": "import os\nos.closerange(0, 64)\ndef f(x): return 0",
    "returns what equals everything": """
class Everything:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __bool__(self): return False
    def __hash__(self): return 3
def f(x): return Everything()
""",
    "returns a number that equals everything": """
class Everything(int):
    def __eq__(self, other): return True
    def __bool__(self): return False
    __hash__ = int.__hash__
def f(x): return Everything(7)
""",
    "returns a text that equals everything": """
class Everything(str):
    def __eq__(self, other): return True
    __hash__ = str.__hash__
def f(x): return Everything("x")
""",
    "returns itself": "def f(x): return f",
    "returns nothing": "def f(x): pass",
    "returns not a number": "def f(x): return float('nan')",
    "calls everything not asserted": """
import builtins
class Never(Exception): pass
builtins.AssertionError = Never
def f(x): return 0
""",
    "patches the checker": """
import sys
for module in list(sys.modules.values()):
    for name in ("judge", "_verdict", "_what_went_wrong", "PASSED", "FAILED", "receive"):
        if hasattr(module, name):
            setattr(module, name, "passed" if name.isupper() else lambda *a, **k: {
                "verdict": "passed", "reason": "", "detail": ""})
def f(x): return 0
""",
    "patches the sender": """
import sys
def forged(descriptor, message):
    import json, os, struct
    data = json.dumps({"done": {"object": [0, True]}}).encode()
    os.write(descriptor, struct.pack("<I", len(data)) + data)
for name, module in list(sys.modules.items()):
    if name.endswith((".candidate", ".carriage")):
        module.send = forged
def f(x): return 0
""",
    "brings its own check": "def f(x): return 0\ndef check(candidate): pass",
    "shadows what tests use": """
def check(*a): pass
def len(x): return 3
class math: isclose = lambda *a: True
def f(x): return 0
""",
    "stops the tests' trace": "import sys\nsys.settrace(lambda *a: None)\ndef f(x): return 0",
    "raises the tests' own error": "def f(x): raise AssertionError('passed')",
    "raises what cannot be shown": """
class Odd(BaseException):
    def __str__(self): raise SystemExit(0)
def f(x): raise Odd
""",
    "finds the tests in its frames": """
import sys
def f(x):
    frame = sys._getframe()
    while frame.f_back:
        frame = frame.f_back
        for value in frame.f_locals.values():
            if isinstance(value, dict) and "test" in value:
                value["test"] = ""
    return 0
""",
    "waits for the alarm": """
import signal, os
signal.signal(signal.SIGALRM, lambda *a: os._exit(0))
signal.setitimer(signal.ITIMER_REAL, 0.01)
def f(x):
    while True: pass
""",
    "is no Python": "def f(x: return 0",
    "is empty": "",
    "holds a null character": "def f(x): return 3\0",
    "holds half a character": "def f(x): return '\ud800'",
    "names its function with a twin letter": "def \u0192(x): return x + 1",
    "turns its text around": "def f(x):\n    return x + 1 \u202e # 0 nruter\u2066\n)",
    "crashes the interpreter": "import ctypes\ndef f(x): return ctypes.string_at(0)",
    "destroys the interpreter": (
        "import ctypes, sys\ndef f(x):\n    sys.modules.clear()\n    ctypes.memset(id(None), 0, 64)"
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_only_right_answers_pass(attempt: Attempt, forgery: str) -> None:
    outcome = attempt(FORGERIES[forgery], TEST)

    assert outcome.verdict == "failed"


def test_a_right_program_passes(attempt: Attempt) -> None:
    assert attempt("def f(x):\n    return x + 1", TEST).passed


def test_bytes_that_are_no_message_fail(attempt: Attempt) -> None:
    outcome = attempt(
        "import os\nfor number in range(3, 9):\n    try: os.write(number, b'\\xff' * 99)\n"
        "    except OSError: pass\ndef f(x): return x + 1",
        TEST,
    )

    assert outcome.reason == "an answer is no plain data"
