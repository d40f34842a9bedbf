"""The memory that a run took is seen, also where a child process held it."""

from __future__ import annotations

import subprocess
import sys

from pipelines.memory import MemoryWatch

MEBIBYTE = 2**20
HELD = 256 * MEBIBYTE
HOLD = f"x = bytearray({HELD}); print('held', flush=True); input()"


def test_the_peak_counts_what_this_process_held_for_a_while() -> None:
    with MemoryWatch() as memory:
        before = memory.peak
        held = bytearray(HELD)
        memory.look()
        del held
    assert memory.peak >= before + 0.9 * HELD


def test_the_peak_counts_children() -> None:
    with MemoryWatch() as memory:
        before = memory.peak
        with subprocess.Popen(
            [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            memory.look()
            child.communicate(b"\n")
    assert memory.peak >= before + 0.9 * HELD
