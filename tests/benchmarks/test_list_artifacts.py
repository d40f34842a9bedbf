"""The benchmark of lists runs and writes what it promises; what it measures is not asserted."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import list_artifacts


def test_lists_are_timed_in_a_folder_and_on_a_server(tmp_path: Path) -> None:
    list_artifacts.main(["--quick", "--out", str(tmp_path / "list.json")])
    seconds = json.loads((tmp_path / "list.json").read_text())["seconds"]
    assert len(seconds) == 5
    assert min(seconds.values()) > 0
