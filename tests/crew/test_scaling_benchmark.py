"""The benchmark of Ray runs and writes what it promises."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import ray_scaling
from pipelines.config import RayConfig


def test_it_measures_and_reckons(joined: RayConfig, tmp_path: Path) -> None:
    out = tmp_path / "result.json"
    small = ["--empty=60", "--waiting=2", "--prompts=48", "--max-new-tokens=2", "--rounds=1"]
    ray_scaling.main([*small, "--simulated=50", f"--out={out}"])

    result = json.loads(out.read_text())
    assert result["overhead"]["one_replica"] > result["overhead"]["alone"]
    assert len(result["shard_seconds"]) == 3
    assert result["scaling"]["gain"] > 0
    assert [row["workers"] for row in result["simulated"]["1x"]][-1] == ray_scaling.MOST_WORKERS
