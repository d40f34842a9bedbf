"""The benchmark of derived times runs and writes what it promises."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import pass_time


def test_passes_are_measured_and_derived(tmp_path: Path) -> None:
    pass_time.main(["--quick", "--out", str(tmp_path / "time.json"), "--tokens", "1", "4"])
    rows = json.loads((tmp_path / "time.json").read_text())["milliseconds"]
    assert [row[0] for row in rows] == [1, 4]
    assert all(measured > 0 and derived > 0 for _, measured, derived in rows)
